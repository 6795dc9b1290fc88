//! The page: it parses, needs nothing but itself, and has every figure that there is.

use std::collections::HashSet;
use std::path::PathBuf;

use autograd::Tape;
use diagnose::{Page, Report, Watch};
use init::normal;
use nn::{Optimizer, Sgd};
use roxmltree::Document;
use tensor::Tensor;

use crate::model::{Mlp, Stack, batch, inspect};

/// The page as a tree. It is written so that it is XML too.
fn parse(html: &str) -> Document<'_> {
    let body = html.strip_prefix("<!DOCTYPE html>\n").expect("it begins as HTML does");
    Document::parse(body).unwrap_or_else(|why| panic!("{why}\n{html}"))
}

/// Nothing is loaded from elsewhere, every id is its own, and no figure is no number.
fn check(html: &str) {
    let page = parse(html);
    let mut ids = HashSet::new();
    for node in page.descendants().filter(|node| node.is_element()) {
        assert!(!["script", "link", "img", "iframe", "object", "image", "use"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!["href", "src", "onload"].contains(&name), "{name}={value}");
            assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
            assert!(name != "id" || ids.insert(value.to_owned()), "the id {value} is there twice");
        }
        if let Some(text) = node.text().filter(|_| ["td", "text"].contains(&node.tag_name().name())) {
            assert!(!text.contains("NaN") && text != "inf" && text != "-inf", "{text}");
        }
    }
    let outside = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("url(") && !outside.contains("@import"));
}

fn figures(html: &str) -> Vec<String> {
    let page = parse(html);
    let figures = page.descendants().filter(|node| node.tag_name().name() == "figure");
    figures.map(|node| node.attribute("id").unwrap().to_owned()).collect()
}

/// A training that is watched.
fn watched(steps: usize) -> Watch {
    let mut model = Mlp::kaiming();
    let (x, classes) = batch(32);
    let (mut sgd, mut tape, mut watch) =
        (Optimizer::new(Sgd::default(), 0.1).unwrap(), Tape::new(), Watch::new().every(10));
    for _ in 0..steps {
        let loss = model.forward(tape.constant(x.clone())).cross_entropy(&classes);
        let gradients = loss.backward();
        watch.before_step(&model, loss, &gradients);
        tape.reset();
        sgd.step(&mut model, &gradients);
        watch.after_step(&model);
    }
    watch
}

#[test]
fn a_page_of_one_run_has_the_verdict_first_and_every_figure() {
    let html = Page::new("a < b").run("run", &inspect(&Mlp::original()), Some(watched(50).history())).to_html();
    check(&html);
    assert_eq!(figures(&html), ["run-loss", "run-saturation-1"]);
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(
        at("Not on an even keel: loss") < at("class=\"card findings\"")
            && at("card findings") < at("id=\"run-layers\"")
    );
    assert!(at("run-layers") < at("<figure") && at("<figure") < at("In numbers"));
    assert!(html.contains("<h1>a &lt; b</h1>") && html.contains("prefers-color-scheme: dark"));
    for part in [
        "<td>output.weight</td>",
        "<td>[30, 200]</td>",
        "to know nothing: 3.30",
        "to know nothing: 3.2958",
        ">update:data<",
    ] {
        at(part);
    }
    // A finding stands at the rows that it accuses, by its number.
    let page = parse(&html);
    let table = page.descendants().find(|node| node.attribute("class") == Some("layers")).unwrap();
    let text = |node: roxmltree::Node<'_, '_>| {
        node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect::<String>()
    };
    let rows: Vec<String> = table.children().filter(|row| row.is_element()).map(text).collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[1].starts_with("hidden 30 → 200 tanh") && rows[1].contains("warn 2"), "{}", rows[1]);
    assert!(rows[2].starts_with("output 200 → 27") && rows[2].contains("warn 1"), "{}", rows[2]);
    // What is not saturated has no map.
    assert_eq!(figures(&Page::new("t").run("run", &inspect(&Mlp::kaiming()), None).to_html()), Vec::<String>::new());
}

/// Six layers with one fault are one finding, with a range; and what it breaks is said once.
#[test]
fn what_is_the_same_in_every_layer_is_said_once() {
    let deep = Stack::new(100, &normal(1.0), |x| x.tanh()).inspect();
    let saturated = deep.findings.iter().filter(|finding| finding.fault == diagnose::Fault::Saturation);
    assert!(saturated.count() > 2, "{deep}");
    let html = Page::new("deep").run("run", &deep, None).to_html();
    check(&html);
    let text = deep.to_string();
    for said in [&html, &text.split_whitespace().collect::<Vec<_>>().join(" ")] {
        assert_eq!(said.matches("% of tanh are saturated").count(), 1, "{said}");
        assert!(said.contains(" places): ") || said.contains(" places)</b>: "), "{said}");
    }
    let rule = deep.findings.iter().find(|finding| finding.fault == diagnose::Fault::Saturation).unwrap().rule;
    let twice = Page::new("deep").run("one", &deep, None).run("two", &deep, None).to_html();
    assert_eq!(twice.matches(&rule[1..]).count(), 1);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn runs_are_compared_side_by_side() {
    let mut model = Mlp::original();
    let before = inspect(&model);
    before.cure(&mut model);
    let after = inspect(&model);
    let html = Page::new("cured").run("before", &before, None).then("after", &after, None).to_html();
    check(&html);
    assert!(html.contains("<tr><th></th><th>before</th><th>after</th></tr>"));
    assert_eq!(figures(&html), ["before-saturation-1"]);
    // What a layer gave before is behind what it gives, where it is the same model.
    let behind = |html: &str| html.matches("<path class=\"back\"").count();
    assert_eq!(behind(&html), 2);
    assert_eq!(behind(&Page::new("others").run("before", &before, None).run("after", &after, None).to_html()), 0);
    // The same name twice is not the same id twice.
    check(&Page::new("twice").run("x", &before, None).run("x", &before, None).to_html());
}

#[test]
fn pictures_stand_alone() {
    let page = Page::new("t").run("run", &inspect(&Mlp::original()), Some(watched(20).history()));
    let pictures = page.pictures();
    let names: Vec<&str> = pictures.iter().map(|picture| picture.name.as_str()).collect();
    assert_eq!(names, ["run-loss", "run-layers", "run-saturation-1"]);
    for picture in &pictures {
        let svg = Document::parse(&picture.svg).unwrap_or_else(|why| panic!("{}: {why}", picture.name));
        assert_eq!(svg.root_element().tag_name().name(), "svg");
        assert!(picture.svg.contains("prefers-color-scheme: dark"), "{}", picture.name);
    }
    let folder = temporary("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    let paths = page.write_pictures(&folder).unwrap();
    assert_eq!(paths.len(), 3);
    assert!(paths[0].ends_with("run-loss.svg") && paths[0].exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_number_has_no_place_on_a_page() {
    let (x, classes) = batch(32);
    let report = |model: &Mlp, x: &Tensor| -> Report {
        diagnose::inspect(model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes))
    };
    check(&Page::new("NaN").run("r", &report(&Mlp::kaiming(), &x.map(|_| f32::NAN)), None).to_html());
    check(
        &Page::new("large").run("r", &report(&Mlp::new([1e30, 0.0], [1e30, 0.0]), &(x.clone() * 1e20)), None).to_html(),
    );
    check(&Page::new("zero").run("r", &report(&Mlp::new([0.0, 0.0], [0.0, 0.0]), &x), None).to_html());
    let none = Tensor::zeros([0]);
    let empty = diagnose::inspect(&Mlp::kaiming(), |model, tape| {
        model.forward(tape.constant(Tensor::zeros([0, 30]))).cross_entropy(&none)
    });
    check(&Page::new("empty").run("r", &empty, None).to_html());
    check(&Page::new("nothing").to_html());
    let bare = diagnose::inspect_graph(|tape| tape.leaf(Tensor::from([2.0_f32])).mean(..));
    check(&Page::new("no activations").run("", &bare, Some(Watch::<f32>::new().history())).to_html());
    let deep = Stack::new(30, &normal(0.1), |x| x.tanh()).inspect();
    check(&Page::new("deep").run("r", &deep, None).to_html());
}

#[test]
fn a_path_that_cannot_be_written_is_named_and_nothing_is_left_behind() {
    let page = Page::new("t").run("r", &inspect(&Mlp::kaiming()), None);
    let folder = temporary("page");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("missing").join("page.html");
    let error = page.write(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
    assert!(page.write(&folder).is_err(), "a folder is no file");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    page.write(folder.join("page.html")).unwrap();
    page.write(folder.join("page.html")).unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("diagnose-{}-{name}", std::process::id()))
}

#[test]
#[cfg(feature = "serde")]
fn a_report_and_a_history_are_json_with_null_for_what_is_no_number() {
    let (x, classes) = batch(32);
    let report = diagnose::inspect(&Mlp::kaiming(), |model, tape| {
        model.forward(tape.constant(x.map(|_| f32::NAN))).cross_entropy(&classes)
    });
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert!(json["loss"]["value"].is_null());
    assert_eq!(json["findings"][0]["fault"], "not_finite");
    assert_eq!(json["findings"][0]["evidence"]["kind"], "not_finite");
    assert_eq!(json["findings"][0]["evidence"]["anomaly"]["what"], "NaN");
    assert_eq!(json["activations"][0]["kind"], "tanh");
    let json = serde_json::to_value(watched(20).history()).unwrap();
    assert_eq!(json["loss"].as_array().unwrap().len(), 20);
    assert_eq!(json["samples"][1]["weights"][0]["name"], "hidden.weight");
}

/// As any file of the family's is written: whole, and only where a file is to be.
#[cfg(unix)]
#[test]
fn a_page_replaces_files_and_nothing_else() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let folder = std::env::temp_dir().join(format!("evenkeel-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let page = Page::new("Two units").run("start", &inspect(&Mlp::kaiming()), None);
    page.write("/dev/null").unwrap();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let path = folder.join("page.html");
    for mode in [0o640, 0o600] {
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        page.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page.to_html());
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let error = page.write(&path).unwrap_err().to_string();
    assert!(error.contains("page.html") && error.contains("the file is read-only"), "{error}");
    assert!(page.write(&folder).is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let pictures = page.write_pictures(&folder).unwrap();
    assert!(!pictures.is_empty() && pictures.iter().all(|path| path.is_file()));
    std::fs::remove_dir_all(folder).unwrap();
}
