use alloy_primitives::address;
use proptest::prelude::*;

use super::*;

const ONE: Address = address!("0x52908400098527886E0F7030069857D2E4169EE7");
const TWO: Address = address!("0x8617E340B3D01FA5F11F306F4090FD50E238070D");
const OTHER: Address = address!("0x3333333333333333333333333333333333333333");

/// Nobody's.
const DATE: i64 = 1_790_000_000_000_000;

fn parse(text: &[u8]) -> Result<DenyFile, BadList> {
    DenyFile::parse("deny.txt", text, DATE)
}

/// So many addresses, the same ones for the same number.
fn numbered(numbers: std::ops::Range<u16>) -> DenyFile {
    let lines: Vec<String> = numbers.map(|number| format!("0x{number:040x}")).collect();
    parse(lines.join("\n").as_bytes()).unwrap()
}

#[test]
fn every_way_of_writing_the_two_addresses_reads_the_same() {
    let texts = [
        "0x52908400098527886E0F7030069857D2E4169EE7\n0x8617E340B3D01FA5F11F306F4090FD50E238070D\n",
        "0x8617e340b3d01fa5f11f306f4090fd50e238070d\n0x52908400098527886e0f7030069857d2e4169ee7",
        "# OFAC\n\n  0X52908400098527886E0F7030069857D2E4169EE7 # one\r\n\t0x8617e340B3D01FA5F11F306F4090FD50E238070d#two\r\n",
        "\u{feff}0x52908400098527886E0f7030069857D2E4169EE7\n0x8617E340B3D01FA5F11F306F4090FD50E238070D\n\
         0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "[\"0x52908400098527886E0F7030069857D2E4169EE7\",\n \" 0x8617e340b3d01fa5f11f306f4090fd50e238070d\"]\n",
    ];
    for text in texts {
        let file = parse(text.as_bytes()).unwrap_or_else(|bad| panic!("{bad} in {text}"));
        assert_eq!(file.count(), 2, "{text}");
        assert!(file.contains(&ONE) && file.contains(&TWO) && !file.contains(&OTHER), "{text}");
        assert_eq!(file.sha256, sha256(text.as_bytes()), "of the bytes as they are");
    }
}

#[test]
fn what_is_not_wholly_understood_is_refused_with_its_line() {
    let good = "0x52908400098527886E0F7030069857D2E4169EE7";
    let half = good.get(..30).unwrap();
    let cases: [(String, BadList); 15] = [
        (String::new(), BadList::Empty),
        ("# nothing but words\n\n".to_owned(), BadList::Empty),
        ("[]".to_owned(), BadList::Empty),
        (format!("{good}\n{half}"), BadList::NotAnAddress { line: 2 }),
        (format!("{good}\n\n# x\n{good}0"), BadList::NotAnAddress { line: 4 }),
        (good.replacen("0x", "", 1), BadList::NotAnAddress { line: 1 }),
        (format!("{good} {good}"), BadList::NotAnAddress { line: 1 }),
        (format!("{good},"), BadList::NotAnAddress { line: 1 }),
        ("bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh".to_owned(), BadList::NotAnAddress { line: 1 }),
        ("<html>503</html>".to_owned(), BadList::NotAnAddress { line: 1 }),
        (format!("[\"{good}\",\n\"{half}\"]"), BadList::NotAnAddress { line: 2 }),
        (format!("[\"{good}\",\n\n 7]"), BadList::NotAnAddress { line: 3 }),
        (format!("[\"{good}\",\n\"{half}"), BadList::NotAnArray { line: 2 }),
        (format!("[\"{good}\"]\n{good}"), BadList::NotAnArray { line: 2 }),
        (format!("[\"{good}\"\n{good}]"), BadList::NotAnArray { line: 2 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
    }
    let torn = [good.as_bytes(), b"\n\xff\xfe"].concat();
    assert_eq!(parse(&torn), Err(BadList::NotText { line: 2 }));
}

#[test]
fn a_file_has_a_largest_size_and_a_largest_count() {
    let largest = usize::try_from(FILE_BYTES_MAX).unwrap();
    let mut text = b"0x52908400098527886E0F7030069857D2E4169EE7\n".to_vec();
    text.resize(largest, b'#');
    assert_eq!(parse(&text).unwrap().count(), 1);
    text.push(b'#');
    assert_eq!(parse(&text), Err(BadList::TooLarge));
    let many = |count: usize| (0..count).map(|n| format!("0x{n:040x}")).collect::<Vec<_>>().join("\n");
    assert_eq!(parse(many(ADDRESSES_MAX).as_bytes()).unwrap().count(), ADDRESSES_MAX);
    assert_eq!(parse(many(ADDRESSES_MAX + 1).as_bytes()), Err(BadList::TooMany));
}

#[test]
fn a_list_that_loses_more_than_a_fifth_needs_force() {
    let old = numbered(0..100);
    let lost = |new: &DenyFile| accept_new(&old, new, false).err().map(|shrunk| shrunk.lost);
    assert_eq!(lost(&old), None);
    assert_eq!(lost(&numbered(0..1000)), None);
    assert_eq!(lost(&numbered(20..100)), None, "a fifth is allowed");
    assert_eq!(lost(&numbered(21..100)), Some(21));
    assert_eq!(lost(&numbered(0..50)), Some(50), "half a file");
    assert_eq!(lost(&numbered(200..400)), Some(100), "another list, and a longer one");
    assert_eq!(accept_new(&old, &numbered(0..1), true), Ok(()));
    let told = accept_new(&old, &numbered(0..1), false).unwrap_err().to_string();
    assert!(told.contains("99 of 100") && told.contains(&hex::encode(numbered(0..1).sha256)), "{told}");
}

#[test]
fn a_list_is_as_old_as_its_oldest_file_and_a_date_to_come_is_no_date() {
    let dated = |date_us| Arc::new(DenyFile { date_us, ..numbered(0..3) });
    let (hour, max) = (3_600_000_000_i64, Duration::from_secs(48 * 3600));
    let list = DenyList::of(vec![dated(DATE), dated(DATE - 40 * hour)]).unwrap();
    assert_eq!(list.date_us(), DATE - 40 * hour);
    assert!(!list.is_stale(max, DATE + 8 * hour));
    assert!(list.is_stale(max, DATE + 8 * hour + 1));
    let ahead = DenyList::of(vec![dated(DATE)]).unwrap();
    assert!(!ahead.is_stale(max, DATE - hour), "clocks differ");
    assert!(ahead.is_stale(max, DATE - hour - 1));
    assert_eq!(DenyList::of(Vec::new()), None);
}

#[test]
fn a_list_is_shown_with_name_date_count_and_digest() {
    let digest = "fe0b0bd4bc0ba8b4f94bb0c0dbfd2d4c4cd6d41a0f2b1cf4c8c0b6f1f2ad5f4c";
    let file = DenyFile { sha256: hex::decode(digest).unwrap().try_into().unwrap(), ..numbered(0..3) };
    let shown = format!("deny.txt of 2026-09-21T14:13:20Z with 3 addresses, sha256 {digest}");
    assert_eq!(file.to_string(), shown);
    let list = DenyList::of(vec![Arc::new(file.clone()), Arc::new(file)]).unwrap();
    assert_eq!(list.to_string(), format!("{shown}; {shown}"));
}

proptest! {
    #[test]
    fn whatever_the_bytes_nothing_panics(bytes: Vec<u8>) {
        let _result = parse(&bytes);
    }

    #[test]
    fn an_address_is_found_in_whatever_case_it_was_listed(listed: [u8; 20], upper: [bool; 40], array: bool) {
        let digits: String = hex::encode(listed)
            .chars()
            .zip(upper)
            .map(|(digit, upper)| if upper { digit.to_ascii_uppercase() } else { digit })
            .collect();
        let text = if array { format!("[\"0x{digits}\"]") } else { format!("# list\n0x{digits}\n") };
        let list = DenyList::of(vec![Arc::new(numbered(0..9)), Arc::new(parse(text.as_bytes()).unwrap())]).unwrap();
        prop_assert!(list.find(&Address::from(listed)).is_some());
    }
}
