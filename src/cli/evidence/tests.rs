use super::last_in;

#[test]
fn the_last_checkpoint_of_a_file_counts() {
    let note = |n: u8| format!("tollgate/x\n{n}\nroot\ntime now\n\n\u{2014} tollgate/x sig{n}\n");
    assert_eq!(last_in(&note(1)), Some(note(1)));
    assert_eq!(last_in(&format!("{}\n{}\n", note(1), note(2))), Some(note(2)));
    let cosigned = format!("{}\u{2014} witness sig\n", note(3));
    assert_eq!(last_in(&format!("{}\n{cosigned}\n", note(1))), Some(cosigned));
    // A write that a power cut stopped: the one before it counts.
    assert_eq!(last_in(&format!("{}\ntollgate/x\n2\nro", note(1))), Some(note(1)));
    assert_eq!(last_in(""), None);
    assert_eq!(last_in("something else\n"), None);
}
