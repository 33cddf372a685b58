use super::{FIRST, followers, is_confirmed, is_watched, may_follow};
use crate::model::EventState;

/// The contract as a picture: a row may be followed by the columns marked `x`. Columns in the order of the rows.
const CONTRACT: &str = "
received          . x x x . . x x x x . .
verifying         . x x x . . x x x x . .
awaiting_finality . x x x . . x x x x . .
forwarding        . x . x x x . . . . x x
forwarded         . . . x x x . . . . . x
settled           . x . x . . . . . . . x
refuted           . x . x . . . . . . . .
undetermined      . x x x . . x x x x . .
held              . x . x . . . . . x . .
ignored           . x . . . . . . . . . .
dead              . x . x . . . . . . x x
retracted         . . . x . . . . . . . x
";

#[test]
fn the_table_equals_the_contract() {
    let rows: Vec<Vec<&str>> =
        CONTRACT.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(rows.len(), EventState::ALL.len());
    for row in &rows {
        let from: EventState = row[0].parse().expect("a state");
        assert_eq!(row.len(), rows.len() + 1, "{from}");
        for (mark, column) in row[1..].iter().zip(&rows) {
            let to: EventState = column[0].parse().expect("a state");
            assert_eq!(may_follow(from, to), *mark == "x", "{from} -> {to}");
        }
    }
}

#[test]
fn the_main_road_of_the_contract_is_open() {
    let road = ["received", "verifying", "awaiting_finality", "forwarding", "forwarded", "settled"];
    for pair in road.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|name| name.parse::<EventState>().expect("a state"));
        assert!(may_follow(from, to), "{from} -> {to}");
    }
}

#[test]
fn what_was_sent_never_falls_back_to_a_judgement_without_a_message() {
    for from in EventState::ALL.iter().filter(|state| is_confirmed(**state)) {
        for to in [EventState::Refuted, EventState::Held, EventState::Undetermined, EventState::Ignored] {
            assert!(!may_follow(*from, to), "{from} -> {to}");
        }
    }
}

#[test]
fn every_state_is_reached_from_a_first_one() {
    let mut seen: Vec<EventState> = FIRST.to_vec();
    let mut next = 0;
    while let Some(from) = seen.get(next).copied() {
        seen.extend(followers(from).iter().filter(|to| !seen.contains(to)).copied().collect::<Vec<_>>());
        next += 1;
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), EventState::ALL.len());
}

#[test]
fn an_ended_event_is_not_looked_at() {
    for state in [EventState::Settled, EventState::Refuted, EventState::Held, EventState::Ignored] {
        assert!(!is_watched(state), "{state}");
    }
}
