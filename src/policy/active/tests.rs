use super::*;

const PERMIT: &str = "@id(\"p\") permit(principal, action, resource);\n";
const FORBID: &str = "@id(\"f\") forbid(principal, action, resource) when { context.hop > 0 };\n";

struct World {
    directory: tempfile::TempDir,
    policy: ActivePolicy,
}

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.cedar"), PERMIT).unwrap();
    let config = config::Policy { directory: Some(directory.path().to_owned()), remember_decisions: true };
    let policy = ActivePolicy::open(&config).unwrap();
    World { directory, policy }
}

impl World {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn rules(&self) -> Vec<String> {
        self.policy.current().rules().keys().cloned().collect()
    }
}

#[test]
fn a_good_set_takes_the_place_of_the_old_one_as_a_whole() {
    let world = world();
    let taken_before = world.policy.current();
    world.write("b.cedar", FORBID);
    let outcome = world.policy.reload().unwrap();
    let to = world.policy.current().short_hash().to_owned();
    let from = taken_before.short_hash().to_owned();
    assert_eq!(outcome, ReloadOutcome::Swapped { from, to: to.clone(), rules: 2 });
    assert_eq!(world.rules(), ["f", "p"]);
    assert_eq!(taken_before.rules().len(), 1);
    assert_eq!(world.policy.reload(), Ok(ReloadOutcome::Unchanged { set: to }));
}

#[test]
fn a_bad_set_is_refused_and_the_old_one_stays_in_force() {
    let world = world();
    let before = world.policy.current().hash().to_owned();
    world.write("b.cedar", "@id(\"g\")\nforbid(principal, action, resource)\nwhen { context.hops > 0 };\n");
    let error = world.policy.reload().unwrap_err();
    assert!(error.problems[0].file.ends_with("b.cedar"), "{error}");
    assert_eq!(error.problems[0].line, Some(3), "{error}");
    assert_eq!(world.policy.current().hash(), before);
    assert_eq!(*world.policy.refused().unwrap(), error);

    world.write("b.cedar", FORBID);
    world.policy.reload().unwrap();
    assert_eq!(world.policy.refused(), None);
    assert_eq!(world.rules(), ["f", "p"]);
}

#[test]
fn a_directory_that_is_gone_is_refused_and_the_old_set_stays_in_force() {
    let world = world();
    std::fs::remove_dir_all(world.directory.path()).unwrap();
    assert!(world.policy.reload().is_err());
    assert_eq!(world.rules(), ["p"]);
}

#[test]
fn a_configuration_reload_moves_to_another_directory() {
    let world = world();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("z.cedar"), PERMIT.replace("\"p\"", "\"z\"")).unwrap();
    let config = config::Policy { directory: Some(other.path().to_owned()), remember_decisions: true };
    let set = PolicySet::configured(&config).unwrap();
    world.policy.install(&config, set);
    assert_eq!(world.rules(), ["z"]);
    std::fs::write(other.path().join("y.cedar"), FORBID).unwrap();
    world.policy.reload().unwrap();
    assert_eq!(world.rules(), ["f", "z"]);
}

#[test]
fn the_watcher_tells_of_a_change_once_and_only_when_the_files_stand_still() {
    let world = world();
    let mut watcher = Watcher::new(world.policy.clone());
    for _ in 0..3 {
        assert_eq!(watcher.poll(), None);
    }
    world.write("b.cedar", FORBID);
    assert_eq!(watcher.poll(), None);
    assert_eq!(world.rules(), ["p"]);
    assert!(matches!(watcher.poll(), Some(Ok(ReloadOutcome::Swapped { rules: 2, .. }))));
    assert_eq!(watcher.poll(), None);
}

#[test]
fn the_watcher_tells_of_a_refused_set_once() {
    let world = world();
    let mut watcher = Watcher::new(world.policy.clone());
    watcher.poll();
    watcher.poll();
    world.write("b.cedar", "forbid(");
    assert_eq!(watcher.poll(), None);
    assert!(matches!(watcher.poll(), Some(Err(_))));
    assert_eq!(watcher.poll(), None);
    std::fs::remove_file(world.directory.path().join("b.cedar")).unwrap();
    assert_eq!(watcher.poll(), None);
    assert!(matches!(watcher.poll(), Some(Ok(ReloadOutcome::Unchanged { .. }))));
    assert_eq!(world.policy.refused(), None);
    assert_eq!(watcher.poll(), None);
}

#[test]
fn the_watcher_mends_a_reload_that_had_read_the_files_before_they_changed() {
    let world = world();
    let config =
        config::Policy { directory: Some(world.directory.path().to_owned()), remember_decisions: true };
    let read_before = PolicySet::configured(&config).unwrap();
    let mut watcher = Watcher::new(world.policy.clone());
    world.write("b.cedar", FORBID);
    watcher.poll();
    watcher.poll();
    assert_eq!(world.rules(), ["f", "p"]);

    world.policy.install(&config, read_before);
    assert_eq!(world.rules(), ["p"]);
    watcher.poll();
    assert_eq!(world.rules(), ["f", "p"]);
}

#[test]
fn the_watcher_says_nothing_of_files_it_does_not_read_or_that_say_the_same() {
    let world = world();
    let mut watcher = Watcher::new(world.policy.clone());
    watcher.poll();
    watcher.poll();
    world.write("notes.txt", "not a policy");
    world.write(".b.cedar.swp", "nor this");
    world.write(".c.cedar", "nor this");
    world.write("a.cedar", PERMIT);
    for _ in 0..3 {
        assert_eq!(watcher.poll(), None);
    }
    assert_eq!(world.rules(), ["p"]);
}

#[test]
fn the_watcher_finds_a_change_made_between_start_and_its_first_look() {
    let world = world();
    world.write("b.cedar", FORBID);
    let mut watcher = Watcher::new(world.policy.clone());
    watcher.poll();
    assert!(matches!(watcher.poll(), Some(Ok(ReloadOutcome::Swapped { .. }))));
}

#[tokio::test]
async fn the_task_swaps_a_changed_set_and_ends_with_the_shutdown() {
    let world = world();
    world.write("b.cedar", FORBID);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let task = tokio::spawn(world.policy.clone().watch(shutdown, move |outcome| {
        let _ = tell.send(outcome);
        std::future::ready(())
    }));
    assert!(matches!(told.recv().await, Some(Ok(ReloadOutcome::Swapped { .. }))));
    assert_eq!(world.rules(), ["f", "p"]);
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[test]
fn requests_that_run_during_a_swap_decide_by_one_set_or_the_other() {
    let world = world();
    let cases =
        crate::policy::testing::parse("[[case]]\nname = \"x\"\nexpect = \"deny\"\nfacts.hop = 1\n").unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) || seen == 0 {
                        let decision = world.policy.current().decide(&cases[0].facts());
                        let by: Vec<&str> = decision.record.policies.iter().map(String::as_str).collect();
                        assert!(matches!(
                            (decision.is_permit, by.as_slice()),
                            (true, ["p"]) | (false, ["f"])
                        ));
                        seen += 1;
                    }
                })
            })
            .collect();
        for round in 0..20 {
            if round % 2 == 0 {
                world.write("b.cedar", FORBID);
            } else {
                std::fs::remove_file(world.directory.path().join("b.cedar")).unwrap();
            }
            world.policy.reload().unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
