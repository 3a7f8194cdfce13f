//! The shape of the command line.

mod check;
#[path = "../../tests/support/ports.rs"]
mod ports;
mod served;
mod world;

use clap::{CommandFactory as _, Parser as _};

use super::Cli;

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_an_example_in_its_help() {
    fn visit(command: &clap::Command, path: &str, seen: &mut usize) {
        for verb in command.get_subcommands() {
            let path = format!("{path} {}", verb.get_name());
            if verb.has_subcommands() {
                visit(verb, &path, seen);
            } else {
                *seen += 1;
                let help = verb.clone().render_long_help().to_string();
                let example = path.trim_start_matches("deputy ").to_owned();
                assert!(help.contains("Example"), "`{path}` has no example");
                assert!(help.contains(&format!("deputy {example}")), "the example of `{path}` is another's");
            }
        }
    }

    let mut seen = 0;
    visit(&Cli::command(), "deputy", &mut seen);

    assert!(seen >= 25, "only {seen} verbs");
}

#[test]
fn no_paragraph_of_a_help_has_a_line_end_within() {
    fn visit(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for paragraph in help.split("\n\n") {
            // Examples and tables have a line each.
            let is_listed = paragraph.contains("Example") || paragraph.contains("   ");
            assert!(is_listed || !paragraph.contains('\n'), "`{}`: {paragraph}", command.get_name());
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}

#[test]
fn each_verb_takes_json_before_or_after_it() {
    for line in ["deputy --json key list", "deputy key list --json", "deputy key --json list"] {
        assert!(Cli::try_parse_from(line.split(' ')).unwrap().json, "{line}");
    }
}

/// A `kid` is a thumbprint in base64url (RFC 7638 §3), of which one in 64 begins with a hyphen.
#[test]
fn a_key_whose_name_begins_with_a_hyphen_is_no_option() {
    let rest = "PKw3uDfs0gFvK5hbTzE9XaYqLmJr1nBc8oVi7e2dUt";
    for begin in ["-f", "-h", "-V", "--"] {
        let name = format!("{begin}{}", &rest[..43 - begin.len()]);
        for line in [
            "deputy key revoke NAME",
            "deputy key revoke NAME --config deputy.toml",
            "deputy key revoke --config deputy.toml NAME",
            "deputy kill key NAME --yes",
            "deputy kill key --yes NAME",
            "deputy lift client NAME",
            "deputy workload explain --token FILE --jkt NAME",
            "deputy token handover --issuer https://a --client-id b --to class:c --scope d --dpop-jkt NAME",
            "deputy token assertion --issuer https://a --client-id b --client-key-file c --client-key-id NAME",
            "deputy task end --subject NAME",
        ] {
            let parsed = Cli::try_parse_from(line.split(' ').map(|word| word.replace("NAME", &name)));
            assert!(parsed.is_ok(), "{line} with {name}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in [
        "deputy",
        "deputy task end",
        "deputy task end 1 --subject ada",
        "deputy audit trace",
        "deputy audit trace --task 1 --jti 2",
        "deputy token exchange --issuer https://a --client-id b --scope c",
        "deputy policy check --policy a --config b",
        "deputy policy check a --config b",
        "deputy policy check a --policy b",
        "deputy key make a --secret --algorithm ES256",
        "deputy token assertion --client-id b --key c",
    ] {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}
