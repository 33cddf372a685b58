use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Takes one request, answers with this status, and gives back what came.
async fn answer(listener: &TcpListener, status: &str) -> String {
    let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.ends_with(b"the note\n") && !request.ends_with(b"the next\n") {
        let read = stream.read(&mut part).await.unwrap();
        assert_ne!(read, 0, "it was cut off");
        request.extend_from_slice(&part[..read]);
    }
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_checkpoint_is_posted_until_it_is_taken_or_a_newer_one_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notes?token=secret", listener.local_addr().unwrap());
    let (notes, latest) = watch::channel(None);
    let publisher = Publisher::new(url.parse().unwrap()).unwrap();
    let posting = crate::task::spawn("publish", publisher.run(latest));
    notes.send_replace(Some("the note\n".into()));
    let request = answer(&listener, "500 Oops").await;
    assert!(
        request.starts_with("POST /notes?token=secret HTTP/1.1\r\n") && request.contains("text/plain"),
        "{request}"
    );
    // Nothing is followed elsewhere, and a newer one does not wait for the older one.
    answer(&listener, "302 Found").await;
    notes.send_replace(Some("the next\n".into()));
    assert!(answer(&listener, "204 No Content").await.ends_with("the next\n"));
    drop(notes);
    posting.await.unwrap();
}

#[test]
fn notes_in_a_file_stand_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoints");
    append(&file, "a\n").unwrap();
    append(&file, "b\n").unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\n\nb\n\n");
    assert!(append(folder.path(), "c\n").is_err());
}
