//! `GET /backups`: which there are. They are made by the job `backup` and verified by the command.

use axum::extract::State;

use super::Api;
use super::auth::{Caller, May};
use super::problem::{Answer, Problem, page};
use crate::{backup, task};

/// `GET /backups`: newest first.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    caller.may(May::ReadStatus)?;
    let folder = api.config.backup.path.clone();
    let listed = task::spawn_blocking(move || backup::list(&folder)).await;
    match listed {
        Ok(Ok(backups)) => page(&backups, None),
        Ok(Err(error)) => {
            tracing::warn!(%error, "backups could not be listed");
            Err(Problem::unavailable("the folder of backups"))
        }
        Err(_) => Err(Problem::unavailable("the folder of backups")),
    }
}
