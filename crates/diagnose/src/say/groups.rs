//! Findings that say the same of several places, said once.

use crate::report::finding::{Finding, Severity};

/// Findings of one kind, and what is said of all of them.
pub(crate) struct Group<'a> {
    pub(crate) findings: Vec<&'a Finding>,
    pub(crate) severity: Severity,
    /// Where.
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl<'a> Group<'a> {
    /// Those of some findings, in their order: what differs in numbers alone is one.
    pub(crate) fn all(findings: &'a [Finding]) -> Vec<Group<'a>> {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        for finding in findings {
            let is_alike = |group: &&mut Vec<&Finding>| {
                let first = group[0];
                let is_one =
                    (first.severity, first.fault, first.rule) == (finding.severity, finding.fault, finding.rule);
                is_one && merged(&[&first.message, &finding.message], None).is_some()
            };
            match groups.iter_mut().find(is_alike) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups.into_iter().map(Group::of).collect()
    }

    fn of(findings: Vec<&'a Finding>) -> Self {
        let first = findings[0];
        let (severity, messages) = (first.severity, findings.iter().map(|finding| finding.message.as_str()));
        let message = merged(&messages.collect::<Vec<_>>(), None).unwrap_or_else(|| first.message.clone());
        let place = places(&findings);
        let remedy = if findings.len() == 1 { first.remedy.clone() } else { remedies(&findings) };
        Group { findings, severity, place, message, remedy }
    }
}

/// The first and the last of several places, and how many there are.
fn places(findings: &[&Finding]) -> String {
    match findings {
        [only] => only.place.clone(),
        [one, other] => format!("{} and {}", one.place, other.place),
        [first, .., last] => format!("{} … {} ({} places)", first.place, last.place, findings.len()),
        [] => String::new(),
    }
}

/// What is to be done at each: the first actions, and what else they have in common.
fn remedies(findings: &[&Finding]) -> String {
    /// So many are written out.
    const MOST: usize = 4;
    let cures: Vec<(&str, Option<&str>)> = findings
        .iter()
        .map(|finding| finding.remedy.split_once("; or ").map_or((&*finding.remedy, None), |(act, or)| (act, Some(or))))
        .collect();
    let mut acts: Vec<&str> = Vec::new();
    cures.iter().map(|(act, _)| *act).filter(|act| !act.is_empty()).for_each(|act| {
        if !acts.contains(&act) {
            acts.push(act);
        }
    });
    let more = if acts.len() > MOST { format!(" and {} more like these", acts.len() - MOST) } else { String::new() };
    let acts = acts.into_iter().take(MOST).collect::<Vec<_>>().join(", ") + &more;
    let others: Option<Vec<&str>> = cures.iter().map(|(_, or)| *or).collect();
    match others.and_then(|others| merged(&others, Some("each"))) {
        Some(or) => format!("{acts}; or {or}"),
        None => acts,
    }
}

/// Sentences of the same words as one, in which a number that differs is a range, and a word that does is `each`, if that is given; `None`
/// where they are not alike.
fn merged(sentences: &[&str], each: Option<&str>) -> Option<String> {
    let words: Vec<Vec<&str>> = sentences.iter().map(|sentence| sentence.split(' ').collect()).collect();
    let first = words.first()?;
    if words.iter().any(|other| other.len() != first.len()) {
        return None;
    }
    let word = |at: usize| -> Option<String> {
        let all: Vec<&str> = words.iter().map(|words| words[at]).collect();
        if all.iter().all(|word| *word == all[0]) {
            return Some(all[0].to_owned());
        }
        match each {
            None => range(&all),
            // The path of a parameter, whose numbers are none.
            Some(each) => all.iter().all(|word| word.contains('.') && !word.contains('(')).then(|| each.to_owned()),
        }
    };
    let merged: Option<Vec<String>> = (0..first.len()).map(word).collect();
    Some(merged?.join(" "))
}

/// From the least to the largest of some numbers, which may stand in brackets or before a comma.
fn range(words: &[&str]) -> Option<String> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | 'e');
    let split = |word: &&'_ str| {
        let begins = word.find(is_number)?;
        let ends = word.rfind(is_number)? + 1;
        Some([word[..begins].to_owned(), word[begins..ends].to_owned(), word[ends..].to_owned()])
    };
    let parts: Vec<[String; 3]> = words.iter().map(split).collect::<Option<_>>()?;
    let [before, _, after] = &parts[0];
    if parts.iter().any(|[b, _, a]| b != before || a != after) {
        return None;
    }
    let numbers: Vec<(f64, &str)> = parts
        .iter()
        .map(|[_, number, _]| Some((number.trim_end_matches('.').parse().ok()?, &**number)))
        .collect::<Option<_>>()?;
    let by = |a: &&(f64, &str), b: &&(f64, &str)| a.0.total_cmp(&b.0);
    let (least, most) = (numbers.iter().min_by(by)?, numbers.iter().max_by(by)?);
    Some(format!("{before}{} to {}{after}", least.1, most.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_are_a_range_and_words_that_do_are_not_alike() {
        let saturated =
            ["72.8 % of tanh are saturated (input std 6.01)", "61.0 % of tanh are saturated (input std 4.50)"];
        assert_eq!(merged(&saturated, None).unwrap(), "61.0 to 72.8 % of tanh are saturated (input std 4.50 to 6.01)");
        assert_eq!(merged(&["a b", "a c"], None), None);
        assert_eq!(merged(&["a b c", "a b"], None), None);
        assert_eq!(merged(&["draw 0.weight by x", "draw 2.weight by x"], Some("each")).unwrap(), "draw each by x");
        assert_eq!(merged(&["draw hidden.weight", "draw output.weight"], Some("each")).unwrap(), "draw each");
        assert_eq!(
            merged(&["draw a.weight by init::normal(0.1)", "draw b.weight by init::normal(0.2)"], Some("each")),
            None
        );
        assert_eq!(range(&["[3,", "[5,"]).unwrap(), "[3 to 5,");
        assert_eq!(range(&["3x", "5y"]), None);
    }
}
