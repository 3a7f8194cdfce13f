//! Which of several names was probably meant.

/// The candidate most like `name`.
pub fn nearest<T: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = T>) -> Option<T> {
    candidates.into_iter().max_by(|a, b| likeness(name, a.as_ref()).total_cmp(&likeness(name, b.as_ref())))
}

/// How alike two names are, from 0 to 1.
pub fn likeness(name: &str, candidate: &str) -> f64 {
    strsim::jaro_winkler(name, candidate).max(strsim::normalized_damerau_levenshtein(name, candidate))
}
