//! Every schedule to its end, and plateaus.

use nn::{OneCycle, ReduceOnPlateau, Schedule};

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
        ("default", ReduceOnPlateau::new(0.1, 2).unwrap()),
        ("cooldown", ReduceOnPlateau::new(0.5, 1).unwrap().cooldown(2)),
        ("maximize", ReduceOnPlateau::new(0.5, 1).unwrap().maximize()),
        ("threshold", ReduceOnPlateau::new(0.5, 1).unwrap().threshold(0.2).unwrap().least(0.2).unwrap()),
    ];
    assert_eq!(names("plateaus").len(), plateaus.len() + 1);
    for (name, mut plateau) in plateaus {
        let got: Vec<f64> = metrics.iter().map(|&metric| plateau.observe(metric)).collect();
        assert_close(name, &got, &row("plateaus", name), 1e-14);
        assert_eq!(plateau.scale(), *got.last().unwrap());
    }
}

/// The picture in the documentation is that of the schedules as they are.
#[test]
fn the_pictures_are_of_these_schedules() {
    let named = [
        ("constant(1)", Schedule::constant(1.0)),
        ("steps(1, [40, 70], 0.4)", Schedule::steps(1.0, [40, 70], 0.4)),
        ("every(1, 20, 0.6)", Schedule::every(1.0, 20, 0.6)),
        ("exponential(1, 0.97)", Schedule::exponential(1.0, 0.97)),
        ("polynomial(1, 100, 2)", Schedule::polynomial(1.0, 100, 2.0)),
        ("linear(1, 0.2, 80)", Schedule::linear(1.0, 0.2, 80)),
        ("cosine(1, 100)", Schedule::cosine(1.0, 100)),
        ("cosine(1, 15).restarts(2)", Schedule::cosine(1.0, 15).restarts(2)),
        ("one_cycle(1, 100)", Schedule::one_cycle(1.0, 100)),
        ("cosine(1, 100).warmup(20)", Schedule::cosine(1.0, 100).warmup(20)),
        ("constant(1).then(60, linear(1, 0, 40))", Schedule::constant(1.0).then(60, Schedule::linear(1.0, 0.0, 40))),
        ("of(|k| 1 / sqrt(1 + k / 5))", Schedule::of(|k| 1.0 / (1.0 + k as f64 / 5.0).sqrt())),
    ];
    const CELL: [usize; 2] = [240, 120];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\" \
         aria-label=\"Rates over 100 steps\" font-family=\"sans-serif\" font-size=\"11\">",
        3 * CELL[0],
        4 * CELL[1]
    );
    for (index, (name, schedule)) in named.iter().enumerate() {
        let (x, y) = (index % 3 * CELL[0], index / 3 * CELL[1]);
        let points: Vec<String> = (0..=100)
            .map(|k| format!("{},{:.1}", x + 10 + 2 * k as usize, (y + 100) as f64 - 70.0 * schedule.at(k)))
            .collect();
        svg += &format!(
            "<text x=\"{}\" y=\"{}\" fill=\"currentColor\">{name}</text><path d=\"M{} {}v75h205\" fill=\"none\" \
             stroke=\"currentColor\" stroke-opacity=\"0.4\"/><polyline points=\"{}\" fill=\"none\" stroke=\"#d2691e\" \
             stroke-width=\"2\"/>",
            x + 10,
            y + 18,
            x + 8,
            y + 27,
            points.join(" ")
        );
    }
    svg += "</svg>\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/optimizer/schedules.svg");
    if std::env::var_os("EVENKEEL_WRITE_PICTURES").is_some() {
        std::fs::write(file, &svg).unwrap();
    }
    assert!(
        svg == include_str!("../../src/optimizer/schedules.svg"),
        "EVENKEEL_WRITE_PICTURES=1 writes the picture anew"
    );
}
