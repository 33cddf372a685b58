use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1000 + seconds)
}

fn fail(breaker: &mut Breaker, seconds: u64) {
    let permit = breaker.admit(at(seconds)).unwrap();
    breaker.fail(permit, at(seconds));
}

fn succeed(breaker: &mut Breaker, seconds: u64) {
    let permit = breaker.admit(at(seconds)).unwrap();
    breaker.succeed(permit, at(seconds));
}

#[test]
fn five_failures_in_a_row_open_it() {
    let mut breaker = Breaker::new();
    for _ in 0..4 {
        fail(&mut breaker, 0);
    }
    succeed(&mut breaker, 0);
    for _ in 0..4 {
        fail(&mut breaker, 0);
    }
    assert_eq!(breaker.state(at(0)), State::Ready, "a success between them starts the count again");
    fail(&mut breaker, 0);
    assert_eq!((breaker.state(at(0)), breaker.admit(at(4))), (State::Open, Err(Refusal::Open)));
}

#[test]
fn more_than_half_of_twenty_calls_in_ten_seconds_open_it() {
    // So many good calls, then of each three two failures, at so many a second: the state after all of them.
    let after = |calls: u64, a_second: u64, good_in_front: u64| {
        let mut breaker = Breaker::new();
        for number in 0..good_in_front {
            succeed(&mut breaker, number / a_second);
        }
        for number in good_in_front..calls + good_in_front {
            if breaker.state(at(number / a_second)) == State::Open {
                return State::Open;
            }
            let is_failure = (number - good_in_front) % 3 < 2;
            if is_failure { fail(&mut breaker, number / a_second) } else { succeed(&mut breaker, number / a_second) }
        }
        breaker.state(at((calls + good_in_front) / a_second))
    };
    let cases = [
        (19, 19, 0, State::Ready, "too few to tell"),
        (20, 20, 0, State::Open, "14 of 20"),
        (30, 1, 0, State::Ready, "never twenty in ten seconds"),
        (30, 30, 10, State::Open, "20 of 39, when one in three is good"),
        (20, 50, 20, State::Ready, "14 of 40"),
    ];
    for (calls, a_second, good_in_front, expected, why) in cases {
        assert_eq!(after(calls, a_second, good_in_front), expected, "{why}");
    }
}

#[test]
fn half_open_lets_one_call_out_and_a_success_closes() {
    let mut breaker = Breaker::new();
    (0..5).for_each(|_| fail(&mut breaker, 0));
    assert_eq!(breaker.state(at(5)), State::HalfOpen);
    let probe = breaker.admit(at(5)).unwrap();
    assert_eq!(breaker.admit(at(100)), Err(Refusal::Open), "its probe is out, however long");
    breaker.abandon(probe);
    let probe = breaker.admit(at(100)).unwrap();
    breaker.succeed(probe, at(101));
    assert_eq!(breaker.state(at(101)), State::Ready);
    (0..4).for_each(|_| fail(&mut breaker, 101));
    assert_eq!(breaker.state(at(101)), State::Ready, "nothing is left of before");
}

#[test]
fn failed_probes_double_the_wait_up_to_a_minute() {
    let mut breaker = Breaker::new();
    (0..5).for_each(|_| fail(&mut breaker, 0));
    let mut now = 0;
    for wait in [5, 10, 20, 40, 60, 60] {
        assert_eq!(breaker.state(at(now + wait - 1)), State::Open, "{wait}");
        now += wait;
        assert_eq!(breaker.state(at(now)), State::HalfOpen, "{wait}");
        fail(&mut breaker, now);
    }
    succeed(&mut breaker, now + 60);
    (0..5).for_each(|_| fail(&mut breaker, now + 60));
    assert_eq!(breaker.state(at(now + 65)), State::HalfOpen, "after a good time the first wait again");
}

#[test]
fn calls_of_before_change_nothing() {
    let mut breaker = Breaker::new();
    let (late, later, latest) =
        (breaker.admit(at(0)).unwrap(), breaker.admit(at(0)).unwrap(), breaker.admit(at(0)).unwrap());
    (0..5).for_each(|_| fail(&mut breaker, 0));
    breaker.succeed(late, at(1));
    assert_eq!(breaker.state(at(1)), State::Open, "a late success does not close it");
    breaker.fail(later, at(4));
    assert_eq!(breaker.state(at(5)), State::HalfOpen, "a late failure does not prolong it");
    let _probe = breaker.admit(at(5)).unwrap();
    breaker.abandon(latest);
    assert_eq!(breaker.admit(at(5)), Err(Refusal::Open), "nor frees the probe's place");
}
