use std::future::pending;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn what_its_owner_drives_ends_in_place() {
    let (first, second) =
        (finishing("test", async { 7 }), finishing("test", async { tokio::task::try_id().is_none() }));
    assert_eq!(first.await, 7);
    assert!(second.await, "no task was made for it");
}

#[tokio::test]
async fn what_its_owner_lets_go_of_is_finished_all_the_same() {
    let (go, gone) = oneshot::channel::<()>();
    let (done, seen) = oneshot::channel();
    let work = finishing("test", async move {
        let went = gone.await.is_ok();
        done.send(went).unwrap();
    });
    tokio::select! {
        biased;
        () = work => panic!("it cannot be over"),
        () = async {} => {}
    }
    go.send(()).unwrap();
    assert!(timeout(PATIENCE, seen).await.unwrap().unwrap());
}

#[test]
fn what_is_let_go_of_without_a_runtime_ends_with_it() {
    drop(finishing("test", pending::<()>()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_runs_behind_and_what_that_spawns_gives_way() {
    let niceness = || rustix::process::getpriority_process(None).unwrap();
    let own = niceness();
    let behind = Behind::new().unwrap();
    let task = behind.spawn("outer", async move {
        let inner = spawn("inner", async move { niceness() }).await.unwrap();
        let blocking = spawn_blocking(niceness).await.unwrap();
        [niceness(), inner, blocking]
    });
    let seen = timeout(PATIENCE, task).await.unwrap().unwrap();
    assert_eq!(seen, [own.max(10); 3]);
    assert_eq!(niceness(), own, "whoever started it stays where it was");
}
