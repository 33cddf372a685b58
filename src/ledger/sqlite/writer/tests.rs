//! A command that fails undoes itself alone, however its group was run.

use super::*;

/// Writes its number, and fails afterwards when it is odd.
fn write(conn: &Connection, number: i64) -> Result<i64, LedgerError> {
    conn.execute("INSERT INTO written VALUES (?1)", [number])?;
    if number % 2 == 1 { Err(LedgerError::Damaged(format!("{number} is odd"))) } else { Ok(number) }
}

type Told = oneshot::Receiver<Result<i64, LedgerError>>;

fn command(number: i64, again: bool) -> (Box<dyn Command>, Told) {
    let (reply, told) = oneshot::channel();
    let command: Box<dyn Command> = if again {
        let work = move |conn: &Connection| Some(write(conn, number));
        Box::new(Pending { share: Share::Again, work, outcome: None, reply })
    } else {
        let work = once(move |conn: &Connection| write(conn, number));
        Box::new(Pending { share: Share::Group, work, outcome: None, reply })
    };
    (command, told)
}

/// Runs these as one group: what is in the table afterwards, and what each was told.
fn group(commands: &[(i64, bool)]) -> (Vec<i64>, Vec<Option<i64>>) {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE written (number)").unwrap();
    let (mut group, told): (Vec<_>, Vec<_>) = commands.iter().map(|(number, again)| command(*number, *again)).unzip();
    assert!(transact(&conn, &mut group).unwrap());
    assert!(conn.is_autocommit(), "the transaction is over");
    group.into_iter().for_each(|command| command.answer(&Ok(())));
    let mut rows = conn.prepare("SELECT number FROM written ORDER BY rowid").unwrap();
    let written = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (written, told.into_iter().map(|mut told| told.try_recv().unwrap().ok()).collect())
}

#[test]
fn what_can_be_run_again_is_run_again_without_the_one_that_failed() {
    assert_eq!(group(&[(2, true), (4, true)]), (vec![2, 4], vec![Some(2), Some(4)]));
    assert_eq!(group(&[(2, true), (3, true), (4, true)]), (vec![2, 4], vec![Some(2), None, Some(4)]));
    assert_eq!(group(&[(1, true), (3, true)]), (vec![], vec![None, None]));
}

#[test]
fn one_that_runs_once_makes_savepoints_for_all() {
    assert_eq!(group(&[(2, true), (3, false), (4, true)]), (vec![2, 4], vec![Some(2), None, Some(4)]));
    assert_eq!(group(&[(2, false), (5, true), (4, true)]), (vec![2, 4], vec![Some(2), None, Some(4)]));
}

#[test]
fn one_alone_is_undone_whole() {
    assert_eq!(group(&[(3, true)]), (vec![], vec![None]));
    assert_eq!(group(&[(3, false)]), (vec![], vec![None]));
    assert_eq!(group(&[(2, false)]), (vec![2], vec![Some(2)]));
}
