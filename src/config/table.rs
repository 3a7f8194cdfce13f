//! Declaring a table of the file once: its keys with their types, defaults, ranges, meanings and examples.

/// Declares the struct of one table. A field may have a default (`key: u32 = 300`), which is the one that is read and
/// the one that is documented; without it, the default is the type's own.
///
/// The doc comment of a field is its meaning in the reference. Attributes of schemars add what a type does not say:
/// `range` its bounds, `example` a value, `required` that an `Option` must be there, and `x-default` in words what
/// holds without a key that has no fixed default.
macro_rules! table {
    ($(#[$about:meta])* $vis:vis struct $name:ident {
        $($(#[$meta:meta])* $field_vis:vis $field:ident: $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[$about])*
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        #[schemars(extend("x-keys" = [$(stringify!($field)),*]))]
        $vis struct $name { $($(#[$meta])* $field_vis $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: table!(@default $($default)?),)* }
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
pub(super) use table;
