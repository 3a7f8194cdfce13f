//! `deputy audit tail` and `deputy audit export`: the chains as they are stored, in pages.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rows::block;
use super::when::When;
use crate::audit::Row;
use crate::base::time::{Timestamp, process_clock};
use crate::cli::admin::{call, segment};
use crate::cli::output::printable;
use crate::cli::{CliError, ConfigArg, Output};
use crate::config::Config;

/// How often the server is asked for new rows.
const POLL: Duration = Duration::from_secs(1);

/// What is shown of the end of the record.
#[derive(Debug, Args)]
pub struct Tail {
    /// The newest so many
    #[arg(short = 'n', long = "rows", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1000))]
    rows: u16,
    /// Show each new row as it is written, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What is printed.
#[derive(Debug, Args)]
pub struct Export {
    /// Not earlier: a time (RFC 3339), or how long ago (`1h`, `2d`). A chain is not torn: some rows may be up to a
    /// minute older
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Not later, with the same reservation
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Only rows of this chain after this one: `CHAIN:SEQ`, as the end of an earlier export says. Once for each chain
    #[arg(long, value_name = "CHAIN:SEQ", value_parser = place)]
    after: Vec<(String, i64)>,
    #[command(flatten)]
    config: ConfigArg,
}

/// A part of a chain.
#[derive(Debug, Deserialize)]
struct Part {
    chain: String,
    first: i64,
    last: i64,
}

/// A row as it is stored. This is a line of an export.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    chain: String,
    seq: i64,
    previous: Option<String>,
    hash: String,
    body: String,
}

impl Tail {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let config = self.config.load()?;
        let parts = parts(&config, "").await?;
        let newest = i64::from(self.rows);
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        let mut rows = Vec::new();
        for part in parts {
            rows.append(&mut between(&config, &part.chain, part.last - newest, part.last).await?);
            seen.insert(part.chain, part.last);
        }
        in_order(&mut rows);
        let surplus = rows.len().saturating_sub(usize::from(self.rows));
        rows.drain(..surplus);
        rows.iter().for_each(|row| show(row, output));
        let mut is_away = false;
        while self.follow && !output.is_unread() {
            tokio::time::sleep(POLL).await;
            match news(&config, &mut seen).await {
                Ok(mut rows) => {
                    in_order(&mut rows);
                    rows.iter().for_each(|row| show(row, output));
                    is_away = false;
                }
                // It may be starting again.
                Err(CliError::Unreachable(why)) if !is_away => {
                    output.note(format!("{why}; trying again"));
                    is_away = true;
                }
                Err(CliError::Unreachable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Export {
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        let config = self.config.load()?;
        let now = process_clock().now();
        let time = |name, when: Option<When>| {
            when.map(|when| format!("{name}={}", segment(&when.at(now).to_string())))
        };
        let times: Vec<String> =
            [time("since", self.since), time("until", self.until)].into_iter().flatten().collect();
        let parts = parts(&config, &times.join("&")).await?;
        let unknown = self.after.iter().find(|(chain, _)| parts.iter().all(|part| part.chain != *chain));
        if let Some((chain, _)) = unknown {
            return Err(CliError::NotFound(format!("there is no chain `{}`", printable(chain))));
        }
        let mut ends = Vec::new();
        for part in parts {
            let given = self.after.iter().filter(|(chain, _)| *chain == part.chain).map(|(_, seq)| *seq);
            let mut after = given.max().unwrap_or(0).max(part.first - 1);
            while after < part.last && !output.is_unread() {
                let rows = page(&config, &part.chain, after).await?;
                let Some(last) = rows.last().map(|row| row.seq) else { break };
                for row in rows.iter().take_while(|row| row.seq <= part.last) {
                    output.line(
                        serde_json::to_string(row).map_err(|error| CliError::Failed(error.to_string()))?,
                    );
                }
                after = last.min(part.last);
            }
            ends.push(format!("--after {}:{after}", printable(&part.chain)));
        }
        if !output.is_json() {
            output.note(format!("to go on later: deputy audit export {}", ends.join(" ")));
        }
        Ok(())
    }
}

/// The parts of all chains.
async fn parts(config: &Config, query: &str) -> Result<Vec<Part>, CliError> {
    let mut answer = call(config, Method::GET, &format!("/audit/chains?{query}"), None).await?;
    read(answer["chains"].take())
}

/// Some rows of a chain after this number.
async fn page(config: &Config, chain: &str, after: i64) -> Result<Vec<Stored>, CliError> {
    let path = format!("/audit/rows?chain={}&after={after}", segment(chain));
    let mut answer = call(config, Method::GET, &path, None).await?;
    read(answer["rows"].take())
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, CliError> {
    serde_json::from_value(value).map_err(|error| CliError::Failed(format!("the server's answer: {error}")))
}

/// The rows of a chain after a number, up to and with another.
async fn between(config: &Config, chain: &str, after: i64, last: i64) -> Result<Vec<Stored>, CliError> {
    let mut after = after.max(0);
    let mut rows = Vec::new();
    while after < last {
        let mut found = page(config, chain, after).await?;
        let Some(end) = found.last().map(|row| row.seq) else { break };
        found.retain(|row| row.seq <= last);
        rows.append(&mut found);
        after = end;
    }
    Ok(rows)
}

/// The rows that were written since those that were seen, one page of each chain.
async fn news(config: &Config, seen: &mut BTreeMap<String, i64>) -> Result<Vec<Stored>, CliError> {
    let mut rows = Vec::new();
    for part in parts(config, "").await? {
        let seen = seen.entry(part.chain.clone()).or_default();
        if *seen < part.last {
            let mut found = page(config, &part.chain, *seen).await?;
            *seen = found.last().map_or(*seen, |row| row.seq);
            rows.append(&mut found);
        }
    }
    Ok(rows)
}

/// By time, and those of one chain by number.
fn in_order(rows: &mut [Stored]) {
    rows.sort_by_cached_key(|row| (time(row), row.chain.clone(), row.seq));
}

fn time(row: &Stored) -> Option<Timestamp> {
    Row::parse(&row.body).ok().map(|row| row.envelope.at)
}

fn show(stored: &Stored, output: &mut Output) {
    match Row::parse(&stored.body) {
        Ok(row) if output.is_json() => {
            output.line(json!({"chain": stored.chain, "seq": stored.seq, "row": row}).to_string());
        }
        Ok(row) => block(&row, output),
        Err(error) => output.note(format!(
            "row {} of chain {} cannot be read ({error}); see `deputy audit verify`",
            stored.seq,
            printable(&stored.chain)
        )),
    }
}

fn place(text: &str) -> Result<(String, i64), String> {
    let place = text.rsplit_once(':').and_then(|(chain, seq)| Some((chain.to_owned(), seq.parse().ok()?)));
    place.ok_or_else(|| "write `CHAIN:SEQ`, as the end of an export says".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_chains_are_put_in_the_order_of_time() {
        let row = |chain: &str, seq, at: i64| {
            let body = format!(
                r#"{{"v":1,"node":"{chain}","seq":{seq},"at":{at},"by":"server","outcome":"granted","event":"policy_load","set":"00"}}"#
            );
            assert!(Row::parse(&body).is_ok(), "{body}");
            Stored { chain: chain.to_owned(), seq, previous: None, hash: String::new(), body }
        };
        let mut rows = vec![row("a", 1, 10), row("a", 2, 30), row("b", 1, 20), row("b", 2, 20)];
        in_order(&mut rows);
        let places: Vec<_> = rows.iter().map(|row| (row.chain.as_str(), row.seq)).collect();
        assert_eq!(places, [("a", 1), ("b", 1), ("b", 2), ("a", 2)]);
    }

    #[test]
    fn a_place_is_a_chain_and_a_number() {
        assert_eq!(place("4f1d2c3b5a697887:12"), Ok(("4f1d2c3b5a697887".to_owned(), 12)));
        assert!(place("4f1d2c3b5a697887").is_err() && place("a:b").is_err());
    }
}
