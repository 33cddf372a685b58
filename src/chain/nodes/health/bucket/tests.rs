use proptest::prelude::*;

use super::*;

const START: Duration = Duration::from_secs(1000);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_share_is_spent_at_once_then_paced() {
    // Of 100 a second, 50 are for what was not sent: three calls of 20 leave a debt of 10.
    let mut bucket = Bucket::new(100, START);
    let mut spend = |purpose, at: u64| bucket.spend(purpose, 20, START + ms(at), ms(8000));
    let waits: Vec<_> = (0..5).map(|_| spend(Purpose::PreForward, 0).unwrap()).collect();
    assert_eq!(waits, [ms(0), ms(0), ms(0), ms(200), ms(600)]);
    assert_eq!(spend(Purpose::PostForward, 0), Some(ms(0)), "its own share is untouched");
    assert_eq!(spend(Purpose::Research, 0), Some(ms(0)));
    assert_eq!(spend(Purpose::PreForward, 500), Some(ms(500)), "half a second later that much less");
}

#[test]
fn what_would_wait_too_long_is_refused_and_costs_nothing() {
    let mut bucket = Bucket::new(10, START);
    let patience = ms(3000);
    assert_eq!(bucket.spend(Purpose::PreForward, 20, START, patience), Some(ms(0)), "more than it holds, once");
    assert_eq!(bucket.spend(Purpose::PreForward, 20, START, patience), Some(ms(3000)));
    for _ in 0..3 {
        assert_eq!(bucket.spend(Purpose::PreForward, 20, START, patience), None);
    }
    assert_eq!(bucket.spend(Purpose::PreForward, 0, START, patience), Some(ms(0)), "what is free waits for nothing");
    assert_eq!(bucket.spend(Purpose::PreForward, 20, START + ms(2000), patience), Some(ms(3000)), "nor was it charged");
}

#[test]
fn what_the_others_leave_flows_on() {
    let mut bucket = Bucket::new(100, START);
    // The others are full: all 100 a second go to this one.
    bucket.spend(Purpose::Research, 120, START, ms(0)).unwrap();
    assert_eq!(bucket.spend(Purpose::Research, 20, START + ms(1000), ms(0)), Some(ms(0)), "20 + 100 - 120 is no debt");
    assert_eq!(bucket.spend(Purpose::Research, 20, START + ms(1000), ms(8000)), Some(ms(1000)), "20 at 20 a second");
}

proptest! {
    /// What goes out never exceeds what the rate gave, a second's burst, and one call of debt for each purpose.
    #[test]
    fn the_rate_is_kept(rate in 1_u32..2000, calls in prop::collection::vec((0_usize..3, 1_u32..100, 0_u64..400), 1..200)) {
        let mut bucket = Bucket::new(rate, START);
        let (mut now, mut spent) = (START, 0_u64);
        for (purpose, cost, after) in calls {
            now += ms(after);
            if bucket.spend(Purpose::ALL[purpose], cost, now, Duration::ZERO).is_some() {
                spent += u64::from(cost);
            }
            let earned = u64::from(rate) * (1000 + u64::try_from((now - START).as_millis()).unwrap()) / 1000;
            prop_assert!(spent <= earned + 3 * 100, "{spent} of {earned}");
        }
    }

    /// However greedy the others are, a purpose gets its share.
    #[test]
    fn a_share_is_reserved(purpose in 0_usize..3, greedy in 1_u32..100) {
        let (mut bucket, mut got) = (Bucket::new(100, START), 0_u32);
        for step in 0..1000_u64 {
            let now = START + ms(step * 10);
            for other in Purpose::ALL {
                let is_mine = other == Purpose::ALL[purpose];
                let cost = if is_mine { 10 } else { greedy };
                if bucket.spend(other, cost, now, Duration::ZERO).is_some() && is_mine {
                    got += 10;
                }
            }
        }
        prop_assert!(Purpose::ALL[purpose].percent() * 10 <= got, "{got} in ten seconds");
    }
}
