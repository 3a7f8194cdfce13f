//! Someone edits the audit log, in a copy of the database; `deputy audit verify` names the row.

use std::path::Path;

use anyhow::{Context as _, ensure};

use super::super::BIRTHDATE;
use super::super::stage::Stage;
use super::super::story::{Leftovers, PURPOSE};
use super::Drill;

/// Plays it on the row that began the story's task. Deputy is stopped for it, so that its files are whole.
pub async fn play(stage: &mut Stage, leftovers: &Leftovers) -> anyhow::Result<()> {
    stage.stop_deputy().await?;
    let copy = stage.directory.path().join("copy");
    copy_tree(stage.directory.path(), &copy).context("copy Deputy's files")?;
    let config = copy.join("deputy.toml");
    let (before, _) = verify(&config).await?;
    let secrets = [BIRTHDATE, &leftovers.id_token, &leftovers.booking, &leftovers.for_age_agent];
    let found =
        secrets.into_iter().filter(|secret| is_in_a_file(&copy.join("data"), secret.as_bytes())).count();

    // In the audit's JSON only: the task's own row holds the purpose without this key.
    let was = format!("\"purpose\":\"{PURPOSE}\"");
    let is = was.replace("40 EUR", "90 EUR");
    let database = copy.join("data").join("deputy.db");
    let edited = edit(&database, was.as_bytes(), is.as_bytes())?;
    let (after, said) = verify(&config).await?;

    let mut step = Drill::EditedRow.step().denied(
        "someone who can write to the database",
        "to have Alice's purpose read 90 EUR instead of 40",
        "every row is hashed over the one before it; one changed character breaks the chain there",
        "nothing: the record is only ever added to",
    );
    step.text.push("deputy audit verify:".to_owned());
    step.text.extend(said.lines().map(|line| format!("  {line}")));
    step.expect("the untouched copy verifies", 0, before);
    step.expect_that("a row was edited", edited > 0, edited);
    step.expect("the edited copy does not", 1, after);
    step.expect_that(
        "the edited row is named",
        said.contains(&format!(" row {}: ", leftovers.first_row)),
        &said,
    );
    step.expect("birthdate and tokens in Deputy's files", 0, found);
    stage.tell(step).await;
    Ok(())
}

/// Copies files and directories; sockets stay where they are.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        } else if kind.is_dir() && entry.path() != to {
            copy_tree(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Whether a file of this directory has these bytes.
fn is_in_a_file(directory: &Path, secret: &[u8]) -> bool {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter_map(|file| std::fs::read(file.path()).ok())
        .any(|bytes| bytes.windows(secret.len()).any(|w| w == secret))
}

/// Replaces every occurrence of these bytes with others of the same number, and returns how many there were.
fn edit(file: &Path, was: &[u8], is: &[u8]) -> anyhow::Result<usize> {
    ensure!(was.len() == is.len(), "an edit in place keeps the length");
    let mut bytes = std::fs::read(file).context("read the copy")?;
    let mut edited = 0;
    let mut at = 0;
    while let Some(window) = bytes.get_mut(at..at + was.len()) {
        if window == was {
            window.copy_from_slice(is);
            edited += 1;
        }
        at += 1;
    }
    std::fs::write(file, bytes).context("write the copy")?;
    Ok(edited)
}

/// Runs `deputy audit verify`, as an operator would: its exit code and what it says.
async fn verify(config: &Path) -> anyhow::Result<(i32, String)> {
    let deputy = std::env::current_exe().context("find this program")?;
    let mut command = tokio::process::Command::new(deputy);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DEPUTY_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["audit", "verify", "--config"])
        .arg(config)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("run `deputy audit verify`")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).trim().to_owned()))
}
