//! The figures of the lecture, on its own data.
//!
//! The data is not part of the project: these tests run where the environment variable `EVENKEEL_NAMES` names the
//! lecture's file of 32,033 names, and pass over it elsewhere.

use crate::mlp::events;

/// The lecture's file of names, if it is here.
fn lecture_names() -> Option<String> {
    let path = std::env::var("EVENKEEL_NAMES").ok();
    if path.is_none() {
        println!("skipped: EVENKEEL_NAMES does not name the lecture's file");
    }
    path
}

#[test]
fn the_original_scheme_starts_many_times_too_high() {
    let Some(names) = lecture_names() else { return };
    let events = events(&["--data", &names, "--init", "original", "--steps", "0"]);
    assert!(events[0]["loss"].as_f64().unwrap() > 15.0, "{}", events[0]);
}

#[test]
fn kaiming_starts_at_ln_27_and_reaches_the_lectures_validation_loss() {
    let Some(names) = lecture_names() else { return };
    let events = events(&["--data", &names]);
    let (init, end) = (&events[0], events.iter().find(|event| event["event"] == "final").unwrap());
    let counts =
        ["parameters", "train_examples", "val_examples", "test_examples"].map(|key| init[key].as_u64().unwrap());
    assert_eq!((counts[0], counts[1..].iter().sum::<u64>()), (11_897, 228_146));
    assert!((init["loss"].as_f64().unwrap() - 3.2958).abs() < 0.1, "{init}");
    assert_eq!(end["steps"], 200_000);
    assert!((end["val_loss"].as_f64().unwrap() - 2.107).abs() < 0.02, "{end}");
}
