//! Every schedule to its end, and plateaus.

use nn::{OneCycle, Plateau, Schedule};

use crate::golden::{assert_close, names, row};

fn schedule(name: &str) -> Schedule {
    match name {
        "constant" => Schedule::constant(0.5),
        "constant, then" => Schedule::constant(0.125).then(4, 0.5),
        "steps" => Schedule::steps(0.5, [3, 8, 15], 0.1),
        "every" => Schedule::every(0.5, 6, 0.3),
        "exponential" => Schedule::exponential(0.5, 0.9),
        "polynomial" => Schedule::polynomial(0.5, 15, 2.5),
        "linear" => Schedule::linear(0.1, 0.45, 12),
        "cosine" => Schedule::cosine(0.5, 20).down_to(0.05),
        "cosine with restarts" => Schedule::cosine(0.5, 7).restarts(2).down_to(0.05),
        "cosine with equal restarts" => Schedule::cosine(0.5, 7).restarts(1),
        "one cycle" => Schedule::one_cycle(0.5, 21),
        "one cycle: all" => {
            let shape = OneCycle { rise: 0.4, start_factor: 5.0, final_factor: 50.0, ..OneCycle::new(0.5, 26) };
            Schedule::from(OneCycle { linear: true, ..shape })
        }
        "cosine with warm-up" => Schedule::cosine(0.5, 25).warmup(5),
        "linear with warm-up" => Schedule::linear(0.5, 0.05, 25).warmup(5),
        "exponential with warm-up" => Schedule::exponential(0.5, 0.9).warmup(5),
        "closure" => Schedule::of(|k| 0.5 / (1 + k) as f64),
        _ => panic!("no schedule for {name}"),
    }
}

#[test]
fn schedules_are_those_of_pytorch_to_their_ends() {
    assert!(names("schedules").len() >= 16);
    for name in names("schedules") {
        let (schedule, want) = (schedule(&name), row("schedules", &name));
        assert_eq!(schedule.check(), Ok(()), "{name}");
        let got: Vec<f64> = (0..want.len() as u64).map(|step| schedule.at(step)).collect();
        assert_close(&name, &got, &want, 1e-14);
    }
}

#[test]
fn plateaus_are_those_of_pytorch() {
    let metrics = row("plateaus", "metrics");
    let plateaus = [
        ("default", Plateau::new(0.1, 2).unwrap()),
        ("cooldown", Plateau::new(0.5, 1).unwrap().cooldown(2)),
        ("maximize", Plateau::new(0.5, 1).unwrap().maximize()),
        ("threshold", Plateau::new(0.5, 1).unwrap().threshold(0.2).unwrap().least(0.2).unwrap()),
    ];
    assert_eq!(names("plateaus").len(), plateaus.len() + 1);
    for (name, mut plateau) in plateaus {
        let got: Vec<f64> = metrics.iter().map(|&metric| plateau.observe(metric)).collect();
        assert_close(name, &got, &row("plateaus", name), 1e-14);
        assert_eq!(plateau.scale(), *got.last().unwrap());
    }
}
