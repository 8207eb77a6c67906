//! "Did you mean": the candidate nearest to a misspelt word.

/// The candidate with the fewest edits (insertions, deletions, substitutions, case aside), if there are few enough for a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no slips, and the distance is quadratic.
    const LONGEST: usize = 64;
    let length = word.chars().count();
    let allowed = match length {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|c| c.chars().count() <= LONGEST && length <= LONGEST)
        .map(|c| (distance(word, c), c))
        .filter(|&(d, _)| d <= allowed && d < length)
        .min_by_key(|&(d, _)| d)
        .map(|(_, c)| c)
}

/// `; did you mean 'x'?`, or nothing where no candidate is near.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or(String::new(), |c| format!("; did you mean '{c}'?"))
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["Conv", "Concat", "MaxPool"];
        assert_eq!(nearest("Maxpol", names), Some("MaxPool"));
        assert_eq!(nearest("conv", names), Some("Conv"));
        assert_eq!(nearest("Sigmoid", names), None);
        assert_eq!(hint("Cov", names), "; did you mean 'Conv'?");
    }
}
