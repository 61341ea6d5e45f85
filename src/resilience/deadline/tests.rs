use super::within;
use std::future::pending;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, advance};

const LIMIT: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_waited_for_as_long_as_the_limit_says() {
    for limit in [0, 1, 10, 31, 32, 100, 500, 10_000].map(Duration::from_millis) {
        let begin = Instant::now();
        within(limit, pending::<()>()).await.unwrap_err();
        let late = begin.elapsed().saturating_sub(limit);
        assert!(
            begin.elapsed() >= limit && late <= Duration::from_millis(16),
            "{limit:?}: {late:?}"
        );
    }
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
