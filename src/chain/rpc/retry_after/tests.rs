use super::*;

#[test]
fn seconds_and_dates_are_waits_and_capped_at_an_hour() {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let cases = [
        ("0", Some(0)),
        (" 7 ", Some(7)),
        ("3600", Some(3600)),
        ("3601", Some(3600)),
        ("99999999999999999999999999", Some(3600)),
        ("Fri, 20 Nov 2026 12:00:30 GMT", Some(30)),
        ("Friday, 20-Nov-26 12:01:00 GMT", Some(60)),
        ("Fri Nov 20 12:02:00 2026", Some(120)),
        ("Sat, 21 Nov 2026 12:00:00 GMT", Some(3600)),
        ("Fri, 20 Nov 2026 11:59:59 GMT", Some(0)),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("2026-11-20T12:00:30Z", None),
    ];
    for (text, expected) in cases {
        let wait = RetryAfter::parse(text).map(|asked| asked.wait(now));
        assert_eq!(wait, expected.map(Duration::from_secs), "{text:?}");
    }
}
