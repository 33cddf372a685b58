use super::*;
use crate::chain::tests::scripted::{Reply, Scripted};

const LIMITS: Limits = Limits { body_max: 4096, deadline: Duration::from_secs(20) };

async fn answer_to(reply: Reply) -> Result<String, RpcError> {
    let node = Scripted::start(move |_, _| reply.clone()).await;
    let client = Client::new(&node.url(), LIMITS).unwrap();
    client.call(Method::ChainId, json!([])).await.map(|raw| raw.get().to_owned())
}

#[tokio::test]
async fn an_answer_is_the_result_of_this_very_call() {
    assert_eq!(answer_to(Reply::Result(json!("0x2105"))).await.as_deref(), Ok("\"0x2105\""));
    assert_eq!(answer_to(Reply::Result(Value::Null)).await.as_deref(), Ok("null"), "null is an answer");
    assert_eq!(answer_to(Reply::WrongId(json!("0x2105"))).await, Err(RpcError::Malformed));
    let no_result = Reply::Http("200 OK", r#"{"jsonrpc":"2.0","id":1}"#.to_owned());
    assert_eq!(answer_to(no_result).await, Err(RpcError::Malformed), "a missing result is none");
}

#[tokio::test]
async fn errors_fall_into_their_classes() {
    let http = |status| Reply::Http(status, "{}".to_owned());
    let quota = |status, code: i64, message: &str| {
        Reply::Http(status, json!({"id": 1, "error": {"code": code, "message": message}}).to_string())
    };
    let cases = [
        (Reply::Error(-32005), RpcError::RateLimited(None)),
        (Reply::Error(429), RpcError::RateLimited(None)),
        (http("429 Too Many Requests"), RpcError::RateLimited(None)),
        (http("429 Too Many Requests\r\nretry-after: 7"), RpcError::RateLimited(Some(RetryAfter::Seconds(7)))),
        (http("429 Too Many Requests\r\nretry-after: soon"), RpcError::RateLimited(None)),
        (http("503 Service Unavailable\r\nretry-after: 7"), RpcError::RateLimited(Some(RetryAfter::Seconds(7)))),
        (http("503 Service Unavailable"), RpcError::Status(503)),
        (http("402 Payment Required"), RpcError::Exhausted),
        (quota("200 OK", -32005, "daily request count exceeded"), RpcError::Exhausted),
        (quota("429 Too Many Requests", 429, "Monthly capacity limit exceeded."), RpcError::Exhausted),
        (quota("429 Too Many Requests", 429, "over the compute units a second"), RpcError::RateLimited(None)),
        (quota("200 OK", -32000, "daily"), RpcError::Refused(-32000)),
        (Reply::Error(-32601), RpcError::MethodMissing),
        (Reply::Error(-32008), RpcError::TooLarge),
        (Reply::Error(-32000), RpcError::Refused(-32000)),
        (http("500 Internal Server Error"), RpcError::Status(500)),
        (http("307 Temporary Redirect"), RpcError::Status(307)),
        (Reply::Http("200 OK", "<html>Welcome</html>".to_owned()), RpcError::Malformed),
        (Reply::Http("200 OK", String::new()), RpcError::Malformed),
        (Reply::Http("200 OK", " ".repeat(5000)), RpcError::TooLarge),
        (Reply::Endless, RpcError::TooLarge),
    ];
    for (reply, expected) in cases {
        assert_eq!(answer_to(reply.clone()).await, Err(expected), "{reply:?}");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_and_costs_no_stack() {
    let deep = format!(r#"{{"jsonrpc":"2.0","id":{}1{}}}"#, "[".repeat(2000), "]".repeat(2000));
    assert!(deep.len() < LIMITS.body_max);
    assert_eq!(answer_to(Reply::Http("200 OK", deep)).await, Err(RpcError::Malformed));
}

#[tokio::test]
async fn a_silent_node_costs_one_deadline() {
    let node = Scripted::start(|_, _| Reply::Silence).await;
    let limits = Limits { deadline: Duration::from_millis(50), ..LIMITS };
    let client = Client::new(&node.url(), limits).unwrap();
    assert_eq!(client.call(Method::Block, json!(["latest", false])).await.err(), Some(RpcError::Timeout));
}

#[tokio::test]
async fn a_refused_connection_is_one() {
    // An address of its own: of 127.0.0.1 the kernel hands out ports all the time.
    let listener = tokio::net::TcpListener::bind("127.0.0.78:0").await.unwrap();
    let url = Secret::new(format!("http://{}/SECRET-KEY", listener.local_addr().unwrap()));
    drop(listener);
    let client = Client::new(&url, LIMITS).unwrap();
    let error = client.call(Method::ChainId, json!([])).await.err();
    assert_eq!(error, Some(RpcError::Connect));
    assert!(error.is_some_and(RpcError::lost_the_connection));
}

#[test]
fn methods_have_names_and_weights() {
    let names: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), Method::ALL.len(), "{names:?}");
    let free: Vec<Method> = Method::ALL.into_iter().filter(|method| method.cost() == 0).collect();
    assert_eq!(free, [Method::ChainId]);
    assert_eq!((Method::BlockNumber.cost(), Method::Receipt.cost(), Method::Logs.cost()), (10, 20, 60));
}

#[test]
fn no_error_can_show_the_url() {
    let all = [
        RpcError::Timeout,
        RpcError::Connect,
        RpcError::Io,
        RpcError::RateLimited(Some(RetryAfter::Seconds(1))),
        RpcError::Exhausted,
        RpcError::Status(500),
        RpcError::TooLarge,
        RpcError::Malformed,
        RpcError::MethodMissing,
        RpcError::Refused(-1),
    ];
    for error in all {
        let text = format!("{error} {error:?} {}", error.outcome());
        assert!(!text.contains("http") && !text.contains("KEY"), "{text}");
    }
    for bad in ["", "not a url", "ftp://x/", "file:///etc/passwd"] {
        assert_eq!(Client::new(&Secret::new(bad.to_owned()), LIMITS).err(), Some(ClientError::Url), "{bad}");
    }
}
