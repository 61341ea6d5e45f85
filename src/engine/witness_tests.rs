use super::*;

fn id(millis: u64) -> LogId {
    LogId { millis, count: 0 }
}

fn frame(millis: u64) -> Bytes {
    Bytes::from(millis.to_string())
}

/// Remembers the frames of these milliseconds, after that of 1.
fn witness(frames: impl IntoIterator<Item = u64>) -> Witness {
    let witness = Witness::default();
    witness.begin(id(1));
    frames
        .into_iter()
        .for_each(|millis| saw(&witness, id(millis), &frame(millis)));
    witness
}

/// It is read in the log, alone.
fn saw(witness: &Witness, id: LogId, frame: &Bytes) {
    assert!(witness.saw(None, id, frame));
}

fn page(frames: impl IntoIterator<Item = u64>) -> Vec<(LogId, Bytes)> {
    frames.into_iter().map(|millis| (id(millis), frame(millis))).collect()
}

/// An audit reads this page.
fn settle_page(witness: &Witness, page: Vec<(LogId, Bytes)>) -> Loss {
    let end = witness.hold();
    witness.settle(&[page], end, witness.suspicions())
}

fn settle(witness: &Witness, there: impl IntoIterator<Item = u64>) -> Loss {
    settle_page(witness, page(there))
}

fn lost(frames: impl IntoIterator<Item = u64>) -> Loss {
    Loss::Frames {
        gone: page(frames),
        doubtful: Vec::new(),
    }
}

fn doubtful(frames: impl IntoIterator<Item = u64>) -> Loss {
    Loss::Frames {
        gone: Vec::new(),
        doubtful: frames.into_iter().map(frame).collect(),
    }
}

#[test]
fn frames_that_are_not_there_are_lost() {
    let seen = || witness([2, 3, 4]);
    assert_eq!(seen().from(), Some(id(1)));
    assert_eq!(settle(&seen(), [1, 2, 3, 4]), lost([]));
    assert_eq!(settle(&seen(), [1, 2, 9]), lost([3, 4]));
}

#[test]
fn a_frame_that_was_appended_to_a_log_without_what_is_remembered_shows_that_it_is_torn() {
    let told = |witness: &Witness, before, millis| {
        let [before, id] = [before, millis].map(id);
        witness.told(&Place::Logged { before, id }, &frame(millis))
    };
    let seen = || {
        let witness = witness([]);
        assert!(
            told(&witness, 1, 3) && told(&witness, 3, 5),
            "each follows the one before"
        );
        witness
    };
    assert!(told(&seen(), 5, 6));
    assert!(told(&seen(), 6, 7), "what is between was not heard yet");
    assert!(told(&seen(), 1, 3), "heard twice");
    assert!(!told(&seen(), 3, 6), "5 is gone");
    assert!(!told(&seen(), 0, 9), "all are gone, and what was before them");
    assert!(!told(&seen(), 3, 4), "5 was appended behind 3");
    assert!(
        !seen().told(
            &Place::Logged {
                before: id(3),
                id: id(5)
            },
            &frame(9)
        ),
        "another one has its place"
    );
    let witness = witness([]);
    assert!(told(&witness, 5, 6));
    assert!(told(&witness, 1, 3), "an answer came late");
    assert!(
        !told(&witness, 3, 4) || !told(&witness, 3, 5),
        "one of two has the place"
    );
}

#[test]
fn of_two_frames_at_one_place_one_is_lost_and_nobody_knows_what_it_told() {
    let witness = witness([2]);
    let before = id(1);
    assert!(!witness.told(&Place::Logged { before, id: id(2) }, &frame(9)));
    assert_eq!(settle(&witness, [1, 2]), Loss::Unknown);
}

#[test]
fn what_is_told_while_it_is_found_out_is_not_lost() {
    let witness = witness([2, 3]);
    let end = witness.hold();
    saw(&witness, id(4), &frame(4));
    assert_eq!(witness.settle(&[page([1, 2])], end, 0), lost([3]));
    assert_eq!(witness.end().frame, Some(id(4)), "and may be lost yet");
}

#[test]
fn nothing_is_forgotten_while_it_is_found_out_what_is_lost() {
    let witness = witness([2, 3]);
    witness.hold();
    let later = [WINDOW + 3, 2 * WINDOW + 4];
    assert!(!witness.saw_page(&page([1, 2, later[0], later[1]])));
    assert_eq!(settle(&witness, [1, 2, later[0], later[1]]), lost([3]));
    saw(&witness, id(2 * WINDOW + 5), &frame(5));
    assert_eq!(witness.from(), Some(id(later[0])), "from then on it is");
    // Nor when it is the frame itself that shows it.
    let witness = self::witness([3]);
    let before = id(WINDOW);
    assert!(witness.told(
        &Place::Logged {
            before,
            id: id(WINDOW + 2)
        },
        &frame(WINDOW + 2)
    ));
    let torn = Place::Logged {
        before: id(2),
        id: id(2 * WINDOW + 9),
    };
    assert!(!witness.told(&torn, &frame(6)));
    assert_eq!(witness.end().frame, Some(id(2 * WINDOW + 9)));
    assert_eq!(settle(&witness, [1, 2, 2 * WINDOW + 9]), lost([3, WINDOW + 2]));
}

#[test]
fn a_page_of_the_log_shows_that_it_is_torn() {
    assert!(witness([2, 4]).saw_page(&page([2, 3, 4, 5])));
    assert!(!witness([2, 4]).saw_page(&page([2, 3, 5])));
    assert!(witness([2, 4]).saw_page(&page([4, 5])));
    assert!(witness([2, 4]).saw_page(&page([])));
}

#[test]
fn a_log_that_ends_before_all_that_is_remembered_has_lost_nobody_knows_what() {
    let witness = witness([2, 3]);
    assert_eq!(settle(&witness, [0, 9]), Loss::Unknown);
}

#[test]
fn a_log_that_was_trimmed_has_lost_nothing_and_one_that_was_deleted_may_have_lost_what_is_remembered() {
    let seen = || witness([2, 3, 4]);
    let long = (0..LOG_LENGTH as u64).map(|count| (LogId { millis: 3, count }, Bytes::new()));
    assert_eq!(settle_page(&seen(), long.collect()), lost([4]));
    assert_eq!(settle(&seen(), [3, 4]), lost([2]));
    assert_eq!(settle(&seen(), []), lost([2, 3, 4]));
}

#[test]
fn what_was_lost_once_is_not_missed_again() {
    let witness = witness([2, 3]);
    assert_eq!(witness.end().frame, Some(id(3)));
    assert_eq!(settle(&witness, [1, 2]), lost([3]));
    assert_eq!(witness.end().frame, Some(id(2)), "a log that ends there is whole");
    assert_eq!(settle(&witness, [1, 2]), lost([]));
}

#[test]
fn what_was_there_once_may_be_lost_yet() {
    let witness = witness([2, 3]);
    assert_eq!(settle(&witness, [1, 2]), lost([3]));
    assert_eq!(settle(&witness, []), lost([2]));
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let witness = witness([2, 500, WINDOW + 501]);
    assert_eq!(witness.from(), Some(id(500)));
    saw(&witness, id(3), &frame(3));
    assert_eq!(settle(&witness, [1, 500]), lost([WINDOW + 501]));
}

#[test]
fn no_more_frames_are_remembered_than_fit() {
    let witness = Witness::default();
    witness.begin(LogId::START);
    for count in 1..=FRAMES as u64 + 5 {
        saw(&witness, LogId { millis: 1, count }, &frame(count));
    }
    assert_eq!(witness.from(), Some(LogId { millis: 1, count: 5 }));
}

#[test]
fn beside_a_server_that_was_replaced_what_is_there_is_in_doubt_once() {
    let witness = Witness::new(true);
    witness.begin(id(1));
    [2, 3]
        .into_iter()
        .for_each(|millis| saw(&witness, id(millis), &frame(millis)));
    let settle = || settle(&witness, [1, 2, 3]);
    assert_eq!(settle(), doubtful([]));
    witness.suspect();
    assert_eq!(settle(), doubtful([2, 3]));
    assert_eq!(settle(), doubtful([]));
}

#[test]
fn what_stands_in_the_log_and_was_not_heard_is_in_doubt_too() {
    let witness = Witness::new(true);
    witness.begin(id(1));
    saw(&witness, id(3), &frame(3));
    witness.suspect();
    assert_eq!(settle(&witness, [1, 2, 3]), doubtful([2, 3]));
}

#[test]
fn what_is_given_up_is_not_held_any_more() {
    let witness = witness([2, 3]);
    witness.suspect();
    witness.hold();
    witness.give_up(witness.suspicions());
    saw(&witness, id(4), &frame(4));
    saw(&witness, id(WINDOW + 5), &frame(5));
    assert_eq!(witness.from(), Some(id(4)), "what is old is forgotten again");
    assert_eq!(
        settle(&witness, []),
        Loss::Frames {
            gone: vec![(id(WINDOW + 5), frame(5))],
            doubtful: Vec::new()
        }
    );
}

#[test]
fn where_the_log_goes_on_frames_are_remembered_until_a_failover_is_over() {
    let witness = Witness::new(true);
    witness.begin(id(1));
    for millis in [2, WINDOW + 3, SCATTERED_WINDOW] {
        saw(&witness, id(millis), &frame(millis));
    }
    assert_eq!(witness.from(), Some(id(1)));
    saw(&witness, id(SCATTERED_WINDOW + 3), &frame(4));
    assert_eq!(witness.from(), Some(id(2)));
}

#[test]
fn what_was_told_lately_and_is_not_remembered_leaves_nothing_that_counts_beside_a_server_that_was_replaced() {
    let settle = |witness: &Witness| {
        witness.suspect();
        let from = witness.from().expect("it has begun");
        let frames: Vec<_> = witness.seen.lock().frames.keys().copied().collect();
        let there = std::iter::once(from).chain(frames);
        settle_page(witness, there.map(|id| (id, Bytes::new())).collect())
    };
    let witness = Witness::new(true);
    witness.begin(LogId::START);
    for count in 1..=FRAMES as u64 + 1 {
        saw(&witness, LogId { millis: 1, count }, &frame(count));
    }
    assert_eq!(settle(&witness), Loss::Unknown);
    let witness = Witness::new(true);
    witness.begin(id(1));
    let refused = Place::Refused {
        end: id(1),
        before: 0,
        mark: 7,
    };
    witness.told(&refused, &frame(1));
    assert_eq!(settle(&witness), Loss::Unknown);
    saw(&witness, id(2), &frame(2));
    assert_eq!(settle(&witness), Loss::Unknown, "it was told a moment ago");
    saw(&witness, id(SCATTERED_WINDOW + 3), &frame(3));
    assert_eq!(settle(&witness), doubtful([3]));
}
