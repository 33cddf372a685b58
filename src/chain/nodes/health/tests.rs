use proptest::prelude::*;

use super::*;

/// Ten seconds before midnight.
const WALL: &str = "2026-11-20T23:59:50Z";

fn moment(seconds: u64) -> Moment {
    let wall = WALL.parse::<Timestamp>().unwrap();
    Moment { uptime: uptime(seconds), wall: wall + jiff::SignedDuration::from_secs(seconds.try_into().unwrap()) }
}

fn uptime(seconds: u64) -> Duration {
    Duration::from_secs(1000 + seconds)
}

fn health() -> Health {
    Health::new(None, uptime(0))
}

/// One call that begins and ends at a second.
fn call(health: &mut Health, seconds: u64, ending: Ending) {
    let permit = health.admit(uptime(seconds)).unwrap();
    health.settle(permit, ending, moment(seconds));
}

#[test]
fn what_keeps_a_node_out_has_a_name_and_an_end() {
    type Happens = Box<dyn Fn(&mut Health)>;
    let throttled = |asked| Ending::Throttled(Some(asked));
    let at: Timestamp = "2026-11-21T00:00:20Z".parse().unwrap();
    let failed = |health: &mut Health, ending| (0..5).for_each(|_| call(health, 0, ending));
    let cases: Vec<(Happens, State, Option<Refusal>, u64)> = vec![
        (Box::new(|_| {}), State::Ready, None, 0),
        (Box::new(|h| h.fault(uptime(0))), State::Cordoned, Some(Refusal::Cordoned), 600),
        (Box::new(|h| h.wrong_chain(uptime(0))), State::WrongChain, Some(Refusal::WrongChain), 5),
        (Box::new(|h| call(h, 0, Ending::Exhausted)), State::Exhausted, Some(Refusal::Exhausted), 10),
        (
            Box::new(move |h| call(h, 0, throttled(RetryAfter::Seconds(7)))),
            State::Throttled,
            Some(Refusal::Throttled),
            7,
        ),
        (Box::new(move |h| call(h, 0, throttled(RetryAfter::At(at)))), State::Throttled, Some(Refusal::Throttled), 30),
        (
            Box::new(move |h| call(h, 0, throttled(RetryAfter::Seconds(90_000)))),
            State::Throttled,
            Some(Refusal::Throttled),
            3600,
        ),
        (Box::new(move |h| failed(h, Ending::Failed)), State::Open, Some(Refusal::Open), 5),
        (Box::new(move |h| failed(h, Ending::Throttled(None))), State::Open, Some(Refusal::Open), 5),
        (Box::new(move |h| failed(h, throttled(RetryAfter::Seconds(0)))), State::Open, Some(Refusal::Open), 5),
        (Box::new(move |h| failed(h, Ending::Answered)), State::Ready, None, 0),
    ];
    for (number, (event, state, refusal, seconds)) in cases.into_iter().enumerate() {
        let mut health = health();
        event(&mut health);
        assert_eq!((health.state(uptime(0)), health.check(uptime(0)).err()), (state, refusal), "case {number}");
        if let Some(last) = seconds.checked_sub(1) {
            assert_eq!(health.check(uptime(last)).err(), refusal, "case {number}, a second before its end");
        }
        assert_eq!(health.check(uptime(seconds)), Ok(()), "case {number}, at its end");
    }
}

#[test]
fn an_operators_cordon_ends_by_an_operator_and_takes_a_faults_along() {
    let mut health = health();
    health.fault(uptime(0));
    health.set_cordoned(true);
    assert_eq!(health.check(uptime(1_000_000)), Err(Refusal::Cordoned));
    health.set_cordoned(false);
    assert_eq!(health.check(uptime(1)), Ok(()));
}

#[test]
fn a_wrong_chain_stays_one_until_it_is_right_and_is_asked_ever_more_rarely() {
    let mut health = health();
    let mut now = 0;
    for wait in [5, 10, 20, 40, 60, 60] {
        health.wrong_chain(uptime(now));
        assert_eq!(health.check(uptime(now + wait - 1)), Err(Refusal::WrongChain));
        now += wait;
        assert_eq!((health.state(uptime(now)), health.check(uptime(now))), (State::WrongChain, Ok(())));
    }
    health.right_chain();
    assert_eq!(health.state(uptime(now)), State::Ready);
    health.wrong_chain(uptime(now));
    assert_eq!(health.check(uptime(now + 5)), Ok(()), "the first wait again");
}

#[test]
fn states_and_refusals_have_words_of_their_own() {
    let words: std::collections::BTreeSet<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(words.len(), State::ALL.len());
}

#[derive(Debug, Clone)]
enum Event {
    Admit,
    End(usize, Ending),
    Abandon(usize),
    Fault,
    Cordon(bool),
    WrongChain,
    RightChain,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let ending = prop_oneof![
        2 => Just(Ending::Answered),
        6 => Just(Ending::Failed),
        1 => Just(Ending::Exhausted),
        1 => (0_u64..9000).prop_map(|s| Ending::Throttled(Some(RetryAfter::Seconds(s)))),
        1 => Just(Ending::Throttled(None)),
    ];
    prop_oneof![
        12 => Just(Event::Admit),
        12 => (0_usize..8, ending).prop_map(|(which, ending)| Event::End(which, ending)),
        1 => (0_usize..8).prop_map(Event::Abandon),
        1 => Just(Event::Fault),
        1 => any::<bool>().prop_map(Event::Cordon),
        1 => Just(Event::WrongChain),
        1 => Just(Event::RightChain),
        8 => prop_oneof![0_u64..3, 3_u64..70, 70_u64..100_000].prop_map(Event::Wait),
    ]
}

proptest! {
    /// Whatever happens in whatever order: a half-open node has one call out at most that it was half open for, and nothing
    /// is let through while it is open, cordoned, exhausted or throttled.
    #[test]
    fn no_call_goes_out_that_must_not(events in prop::collection::vec(event(), 1..300)) {
        let mut health = health();
        let (mut now, mut out, mut probes) = (0_u64, Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Admit => {
                    let (before, is_probing) = (health.state(uptime(now)), !probes.is_empty());
                    let admitted = health.admit(uptime(now));
                    match before {
                        State::Open | State::Throttled | State::Exhausted | State::Cordoned => {
                            prop_assert!(admitted.is_err(), "{before:?}");
                        }
                        State::HalfOpen => prop_assert!(!(is_probing && admitted.is_ok()), "two probes"),
                        State::Ready => prop_assert!(admitted.is_ok()),
                        State::WrongChain => {}
                    }
                    if let Ok(permit) = admitted {
                        if health.breaker.state(uptime(now)) == State::HalfOpen { probes.push(permit) } else { out.push(permit) }
                    }
                    prop_assert!(probes.len() <= 1, "two probes");
                }
                Event::End(which, ending) => {
                    let from = if which == 0 { &mut probes } else { &mut out };
                    if let Some(permit) = from.pop() {
                        health.settle(permit, ending, moment(now));
                    }
                }
                Event::Abandon(which) => {
                    let from = if which == 0 { &mut probes } else { &mut out };
                    if let Some(permit) = from.pop() {
                        health.abandon(permit);
                    }
                }
                Event::Fault => health.fault(uptime(now)),
                Event::Cordon(is_cordoned) => health.set_cordoned(is_cordoned),
                Event::WrongChain => health.wrong_chain(uptime(now)),
                Event::RightChain => health.right_chain(),
                Event::Wait(seconds) => now += seconds,
            }
        }
    }
}
