use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::verify::fixture::{NOW, PAYEE, PAYER, STRANGER, USDC, base};

const MAX_AGE: Duration = Duration::from_secs(48 * 3600);
const PARTS: [Part; 5] =
    [Part::TransferSender, Part::TransactionSender, Part::ClaimedPayer, Part::Token, Part::Recipient];

fn list(addresses: &[Address], age: Duration) -> Arc<DenyList> {
    let text: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let date_us = NOW.now_us - i64::try_from(age.as_micros()).unwrap();
    let file = DenyFile::parse("deny.txt", text.join("\n").as_bytes(), date_us).unwrap();
    DenyList::of(vec![Arc::new(file)]).unwrap()
}

fn subject(part: Part, address: Address) -> Subject {
    Subject { part, address }
}

#[test]
fn the_answers_and_what_they_stop() {
    let (fresh, old) = (list(&[STRANGER], Duration::ZERO), list(&[STRANGER], MAX_AGE + Duration::from_secs(1)));
    let (clean, denied) = (subject(Part::TransferSender, PAYER), subject(Part::Recipient, STRANGER));
    let (sanctioned, stale, gone) =
        (Some(Code::Sanctioned), Some(Code::ScreeningStale), Some(Code::ScreeningUnavailable));
    let cases = [
        ("off", Lists::Off, vec![denied], None, None),
        ("missing", Lists::Missing, vec![clean], gone, gone),
        ("clean", Lists::Loaded(&fresh), vec![clean], None, None),
        ("denied", Lists::Loaded(&fresh), vec![clean, denied], sanctioned, sanctioned),
        ("stale", Lists::Loaded(&old), vec![clean], None, stale),
        ("stale and denied", Lists::Loaded(&old), vec![clean, denied], sanctioned, sanctioned),
    ];
    for (name, lists, subjects, light, heavy) in cases {
        let outcome = screen(lists, &subjects, MAX_AGE, NOW.now_us);
        assert_eq!((outcome.stops(Weight::Light), outcome.stops(Weight::Heavy)), (light, heavy), "{name}: {outcome:?}");
    }
}

#[test]
fn every_part_of_a_payment_is_compared_and_named() {
    let denied = list(&[STRANGER], Duration::ZERO);
    for part in PARTS {
        let subjects: Vec<Subject> =
            PARTS.iter().map(|other| subject(*other, if *other == part { STRANGER } else { PAYEE })).collect();
        let outcome = screen(Lists::Loaded(&denied), &subjects, MAX_AGE, NOW.now_us);
        let Outcome::Denied { subject: found, by } = outcome else { panic!("{part}: {outcome:?}") };
        assert_eq!((found.part, found.address, by.name.as_str()), (part, STRANGER, "deny.txt"));
    }
}

#[test]
fn the_two_highest_tiers_of_a_chain_are_heavy() {
    let policy = base().chain.finality;
    let weights: Vec<_> = policy.tiers().map(|tier| (tier.name.clone(), weight(&policy, tier))).collect();
    let named = |name: &str, weight| (name.to_owned(), weight);
    assert_eq!(
        weights,
        [
            named("T0", Weight::Light),
            named("T1", Weight::Light),
            named("T2", Weight::Heavy),
            named("T3", Weight::Heavy)
        ]
    );
    let foreign = Tier { name: "T9".to_owned(), ..policy.tier(None).clone() };
    assert_eq!(weight(&policy, &foreign), Weight::Heavy, "what the policy does not have is not known to be small");
}

proptest! {
    #[test]
    fn a_listed_address_is_never_called_clean(
        listed: [u8; 20], upper: [bool; 40], part in 0_usize..5, age_days in 0_u64..90, others: Vec<[u8; 20]>,
    ) {
        let digits: String = hex::encode(listed)
            .chars()
            .zip(upper)
            .map(|(digit, upper)| if upper { digit.to_ascii_uppercase() } else { digit })
            .collect();
        let date_us = NOW.now_us - i64::try_from(age_days * 86_400_000_000).unwrap();
        let file = DenyFile::parse("deny.txt", format!("{USDC}\n0x{digits} # x\n").as_bytes(), date_us).unwrap();
        let list = DenyList::of(vec![Arc::new(file)]).unwrap();
        let mut subjects: Vec<Subject> =
            others.iter().map(|other| subject(Part::TransferSender, Address::from(*other))).collect();
        subjects.push(subject(PARTS[part], Address::from(listed)));
        let outcome = screen(Lists::Loaded(&list), &subjects, MAX_AGE, NOW.now_us);
        prop_assert!(matches!(outcome, Outcome::Denied { .. }), "{:?}", outcome);
    }
}
