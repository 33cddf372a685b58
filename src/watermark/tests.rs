use proptest::prelude::*;

use super::*;

const MARKS: Marks = Marks { warn: 4000, shed: 2000, reserve: 1000 };

const LEVELS: [Level; 5] = [Level::Plenty, Level::Low, Level::First, Level::Middle, Level::Full];

fn fresh(free: u64) -> Level {
    MARKS.level(Level::Plenty, Some(free))
}

#[test]
fn each_mark_is_the_first_byte_of_the_better_level() {
    let expected = [
        (4000, Level::Plenty),
        (3999, Level::Low),
        (2000, Level::Low),
        (1999, Level::First),
        (1500, Level::First),
        (1499, Level::Middle),
        (1000, Level::Middle),
        (999, Level::Full),
        (0, Level::Full),
    ];
    for (free, level) in expected {
        assert_eq!(fresh(free), level, "{free}");
    }
}

#[test]
fn stripe_waits_first_and_request_network_only_when_the_log_refuses() {
    let taken = |free, class| !fresh(free).sheds(class);
    assert_eq!([Shed::First, Shed::Middle, Shed::Last].map(|class| taken(2000, class)), [true, true, true]);
    assert_eq!([Shed::First, Shed::Middle, Shed::Last].map(|class| taken(1999, class)), [false, true, true]);
    assert_eq!([Shed::First, Shed::Middle, Shed::Last].map(|class| taken(1499, class)), [false, false, true]);
    assert_eq!([Shed::First, Shed::Middle, Shed::Last].map(|class| taken(1000, class)), [false, false, true]);
    assert_eq!([Shed::First, Shed::Middle, Shed::Last].map(|class| taken(999, class)), [false, false, false]);
}

#[test]
fn rising_waits_for_a_quarter_of_the_way_above_the_mark() {
    let from = |level, free| MARKS.level(level, Some(free));
    assert_eq!(from(Level::First, 2249), Level::First);
    assert_eq!(from(Level::First, 2250), Level::Low);
    assert_eq!(from(Level::Middle, 1749), Level::Middle);
    assert_eq!(from(Level::Middle, 1750), Level::First);
    assert_eq!(from(Level::Low, 4249), Level::Low);
    assert_eq!(from(Level::Low, 4250), Level::Plenty);
    // What the log takes is taken: no distance at the reserve, and from there the distances of the others hold.
    assert_eq!(from(Level::Full, 1000), Level::Middle);
    assert_eq!(from(Level::Full, 1600), Level::Middle);
    assert_eq!(from(Level::Full, 9000), Level::Plenty);
}

#[test]
fn a_disk_that_does_not_say_is_full_and_marks_of_zero_never_refuse() {
    assert_eq!(MARKS.level(Level::Plenty, None), Level::Full);
    let off = Marks { warn: 0, shed: 0, reserve: 0 };
    assert_eq!(off.level(Level::Plenty, None), Level::Plenty);
    assert_eq!(off.level(Level::Full, Some(0)), Level::Plenty);
}

proptest! {
    #[test]
    fn the_level_never_contradicts_the_log_and_never_flaps(
        reserve in 0_u64..1 << 50,
        above in (0_u64..1 << 50, 0_u64..1 << 50),
        before in 0_usize..5,
        free in prop::option::of(0_u64..1 << 51),
    ) {
        let marks = Marks { reserve, shed: reserve + above.0, warn: reserve + above.0 + above.1 };
        let before = LEVELS[before];
        let level = marks.level(before, free);
        let seen = free.unwrap_or(0);
        // The log refuses exactly below the reserve: so does the last class, whatever came before.
        prop_assert_eq!(level.sheds(Shed::Last), seen < reserve);
        // A class below its mark waits at once.
        prop_assert!(marks.shed <= seen || level.sheds(Shed::First));
        prop_assert!(reserve + above.0 / 2 <= seen || level.sheds(Shed::Middle));
        // The same look again changes nothing; more space never makes it worse.
        prop_assert_eq!(marks.level(level, free), level);
        prop_assert!(marks.level(level, Some(seen + 1)) <= level);
        // Once it waits, a class is taken only well above its mark.
        if before == Level::First && seen < marks.shed + above.0 / 4 {
            prop_assert!(level.sheds(Shed::First));
        }
        // A class that waits makes every class before it wait.
        prop_assert!(!level.sheds(Shed::Last) || level.sheds(Shed::Middle));
        prop_assert!(!level.sheds(Shed::Middle) || level.sheds(Shed::First));
    }
}
