use super::within;
use std::future::pending;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, advance};

const LIMIT: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_waited_for_as_long_as_the_limit_says() {
    let begin = Instant::now();
    within(LIMIT, pending::<()>()).await.unwrap_err();
    let took = begin.elapsed();
    assert!((LIMIT..LIMIT + Duration::from_millis(16)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_the_answer_still_has_time_to_come() {
    for waited in [0, 60, 200, 430] {
        let (answer, answered) = oneshot::channel();
        let waiting = tokio::spawn(within(LIMIT, answered));
        for _ in 0..waited {
            advance(Duration::from_millis(1)).await;
        }
        advance(Duration::from_secs(3_600)).await;
        // Every timer that is due has fired.
        advance(Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
        answer.send(7).expect("still waited for");
        assert_eq!(
            waiting.await.unwrap().unwrap().unwrap(),
            7,
            "{waited} ms before the pause"
        );
    }
}
