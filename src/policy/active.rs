//! The set in force, swapped as a whole while requests go on with the one they took.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::{PolicyError, PolicySet, load};
use crate::config;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// The set in force, swapped as a whole. A clone is another hand on the same one.
#[derive(Clone, Debug)]
pub struct ActivePolicy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: ArcSwap<PolicySet>,
    /// Why the newest files are not in force, if they are not.
    refused: ArcSwapOption<PolicyError>,
    /// What to load; held while a set is loaded, so that the newest read wins.
    policy: Mutex<config::Policy>,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The files say what is in force.
    Unchanged {
        /// The set in force, its hash shortened as in the audit.
        set: String,
    },
    /// A new set is in force from now on.
    Swapped { from: String, to: String, rules: usize },
}

impl ActivePolicy {
    /// Loads the set that `policy` names.
    ///
    /// # Errors
    /// As [`PolicySet::load`]; there is no older set to fall back on.
    pub fn open(policy: &config::Policy) -> Result<Self, PolicyError> {
        Ok(Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(PolicySet::configured(policy)?),
            refused: ArcSwapOption::empty(),
            policy: Mutex::new(policy.clone()),
        })))
    }

    /// The set in force. A request takes it once and decides by it to its end.
    pub fn current(&self) -> Arc<PolicySet> {
        self.0.current.load_full()
    }

    /// Why the newest files were refused and an older set is in force, if that is so.
    pub fn refused(&self) -> Option<Arc<PolicyError>> {
        self.0.refused.load_full()
    }

    /// Loads the files again: the new set takes effect as a whole, or the old one stays.
    ///
    /// # Errors
    /// As [`PolicySet::load`]; the old set is in force still.
    pub fn reload(&self) -> Result<ReloadOutcome, PolicyError> {
        let policy = self.0.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = PolicySet::configured(&policy);
        match loaded {
            Ok(set) => Ok(self.put(set)),
            Err(error) => {
                self.0.refused.store(Some(Arc::new(error.clone())));
                Err(error)
            }
        }
    }

    /// Puts a set in force that was loaded from what `policy` names: the last step of a reload of the
    /// whole configuration, after everything else in it proved good.
    pub fn install(&self, policy: &config::Policy, set: PolicySet) -> ReloadOutcome {
        let mut current = self.0.policy.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone_from(policy);
        self.put(set)
    }

    /// The caller holds `policy`.
    fn put(&self, set: PolicySet) -> ReloadOutcome {
        self.0.refused.store(None);
        let to = set.short_hash().to_owned();
        let rules = set.rules().len();
        let before = self.current();
        if before.hash() == set.hash() {
            return ReloadOutcome::Unchanged { set: to };
        }
        self.0.current.store(Arc::new(set));
        ReloadOutcome::Swapped { from: before.short_hash().to_owned(), to, rules }
    }

    /// Reloads within two seconds after the files change, until `shutdown` ends. `audit` is called once for each
    /// change, also for one that is refused and for the return to the set in force. It is not called if the contents
    /// stayed the same.
    ///
    /// A process runs one of these; [`ActivePolicy::reload`] may be called beside it.
    pub async fn watch<F, A>(self, shutdown: impl Future<Output = ()> + Send, mut audit: F)
    where
        F: FnMut(Result<ReloadOutcome, PolicyError>) -> A + Send,
        A: Future<Output = ()> + Send,
    {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut watcher = Watcher::new(self);
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            // Files may hang (a network volume), and validation takes milliseconds: off the workers.
            let polled = tokio::task::spawn_blocking(move || {
                let told = watcher.poll();
                (watcher, told)
            });
            let told = tokio::select! {
                () = &mut shutdown => return,
                polled = polled => match polled {
                    Ok((back, told)) => {
                        watcher = back;
                        told
                    }
                    // The runtime is going down.
                    Err(_) => return,
                }
            };
            if let Some(outcome) = told {
                audit(outcome).await;
            }
        }
    }
}

/// Name, inode, length, times of modification and change: whatever is done to a file changes one.
type Trace = (OsString, u64, u64, (i64, i64), (i64, i64));

/// What the files look like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fingerprint {
    Files(Vec<Trace>),
    Unreadable,
}

/// The state of [`ActivePolicy::watch`], one step at a time.
#[derive(Debug)]
pub struct Watcher {
    policy: ActivePolicy,
    directory: Option<PathBuf>,
    /// The files as last loaded, and the hash of the set in force afterwards.
    loaded: Option<(Fingerprint, String)>,
    seen: Option<Fingerprint>,
}

impl Watcher {
    /// Takes the files as they are for what is in force; the first step finds out if they are not.
    pub const fn new(policy: ActivePolicy) -> Self {
        Self { policy, directory: None, loaded: None, seen: None }
    }

    /// Looks at the files, and reloads if they changed and then stayed the same from one step to the next, because
    /// a file that is half written may be valid but lack a rule. Returns the result of a reload, or nothing if the
    /// set is unchanged.
    pub fn poll(&mut self) -> Option<Result<ReloadOutcome, PolicyError>> {
        let directory = self.policy.0.policy.lock().unwrap_or_else(PoisonError::into_inner).directory.clone();
        if directory != self.directory {
            self.loaded = None;
            self.directory = directory;
        }
        let now = fingerprint(self.directory.as_deref()?);
        let stood_still = self.seen.as_ref() == Some(&now);
        self.seen = Some(now.clone());
        // Another's reload may have read the files before we did and come after us: look again.
        let in_force = self.policy.current();
        let is_loaded =
            self.loaded.as_ref().is_some_and(|(files, hash)| *files == now && hash == in_force.hash());
        if !stood_still || is_loaded {
            return None;
        }
        let was_refused = self.policy.refused().is_some();
        let told = self.policy.reload();
        self.loaded = Some((now, self.policy.current().hash().to_owned()));
        match told {
            Ok(ReloadOutcome::Unchanged { .. }) if !was_refused => None,
            told => Some(told),
        }
    }
}

#[cfg(unix)]
fn fingerprint(directory: &Path) -> Fingerprint {
    use std::os::unix::fs::MetadataExt;

    let traces = || -> std::io::Result<Vec<Trace>> {
        let mut traces = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if load::policy_file_name(&entry.file_name()).is_none() {
                continue;
            }
            // Follows links: a mounted volume swaps what they point to.
            let data = std::fs::metadata(entry.path())?;
            traces.push((
                entry.file_name(),
                data.ino(),
                data.len(),
                (data.mtime(), data.mtime_nsec()),
                (data.ctime(), data.ctime_nsec()),
            ));
        }
        traces.sort_unstable();
        Ok(traces)
    };
    traces().map_or(Fingerprint::Unreadable, Fingerprint::Files)
}

#[cfg(test)]
mod tests;
