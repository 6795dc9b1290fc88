//! Tables in `.csv` files: named columns as tensors of numbers or of categories. Feature `csv`.
//!
//! ```
//! use tensor::Tensor;
//! use tensor::csv::Table;
//!
//! let path = std::env::temp_dir().join(format!("evenkeel-{}.csv", std::process::id()));
//! std::fs::write(&path, "age,sex,bmi,progress\n59,m,32.1,151\n48,f,21.6,75\n72,m,30.5,141\n").unwrap();
//! let table = Table::read(&path)?;
//! let x: Tensor = table.numbers(&["age", "bmi"])?; // [3, 2]
//! let y: Tensor = table.number("progress")?; // [3]
//! let sex = table.categories("sex")?;
//! assert_eq!((x.dims(), y.to_vec()[1], sex.names.join(" ").as_str()), (&[3, 2][..], 75.0, "f m"));
//! assert_eq!(sex.codes, Tensor::from([1, 0, 1]));
//! let sex: Tensor = Tensor::one_hot(&sex.codes, sex.names.len()); // [3, 2]
//! # assert_eq!(sex.dims(), [3, 2]);
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), tensor::io::Error>(())
//! ```
//!
//! A field that is empty, or is `NA`, `N/A`, `NaN`, `null` or `?`, is *missing*. What is missing is no number: [`Table::numbers`] says
//! where it stands, and [`Table::without_missing`] or [`Table::filled`] says what is to be done about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ::csv::{ReaderBuilder, StringRecord};

use super::error::Error;
use crate::{Float, Tensor};

/// A table of text, with named columns.
#[doc(alias = "read_csv")]
#[doc(alias = "DataFrame")]
#[derive(Clone, Debug)]
pub struct Table {
    path: Option<PathBuf>,
    names: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    /// Its line in the file, from 1.
    line: u64,
    fields: StringRecord,
}

/// A column whose fields are one of several texts; [`Table::categories`] makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories {
    /// The place of each row's text in `names`, `[rows]`.
    pub codes: Tensor<i64>,
    /// The texts that there are, in order.
    pub names: Vec<String>,
}

/// A field without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The name of its column.
    pub column: String,
}

/// How a table is written; [`Table::options`] begins with the usual.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    delimiter: u8,
    has_names: bool,
}

impl Options {
    /// Sets what stands between two fields, such as `b';'` or `b'\t'`: a comma, unless this is said.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        Options { delimiter, ..self }
    }

    /// Reads a file whose first line has values and no names; the columns are called `0`, `1` and so on.
    #[must_use]
    pub fn without_names(self) -> Self {
        Options { has_names: false, ..self }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn read(self, path: impl AsRef<Path>) -> Result<Table, Error> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| Error::from(error).at(path))?;
        let table = self.parse(&bytes).map_err(|error| error.at(path))?;
        Ok(Table { path: Some(path.to_owned()), ..table })
    }

    /// Reads a file's contents.
    ///
    /// # Errors
    /// As [`Table::read`], without a path.
    pub fn parse(self, bytes: &[u8]) -> Result<Table, Error> {
        let text = text_of(bytes)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(::csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let fields = record.map_err(Error::malformed)?;
            // The reader's own count is off after an empty line.
            let begins = fields.position().map_or(0, |at| at.byte() as usize);
            let begins = begins + text[begins..].len() - text[begins..].trim_start_matches(['\r', '\n']).len();
            line += text[counted..begins].matches('\n').count() as u64;
            counted = begins;
            rows.push(Row { line, fields });
        }
        let Some(first) = rows.first() else { return Err(Error::malformed("is empty")) };
        let width = first.fields.len();
        let names: Vec<String> = match self.has_names {
            true => rows.remove(0).fields.iter().map(str::to_owned).collect(),
            false => (0..width).map(|column| column.to_string()).collect(),
        };
        for (column, name) in names.iter().enumerate() {
            if let Some(other) = names[..column].iter().position(|before| before == name) {
                let (a, b) = (other + 1, column + 1);
                return Err(Error::malformed(format!("line 1: columns {a} and {b} are both called {name:?}")));
            }
        }
        if let Some(Row { line, fields }) = rows.iter().find(|row| row.fields.len() != width) {
            let why = format!("line {line}: has {} fields, and the first line has {width}", fields.len());
            return Err(Error::malformed(why));
        }
        if rows.is_empty() {
            return Err(Error::malformed("has a line of names and no rows below it"));
        }
        Ok(Table { path: None, names, rows })
    }
}

/// A file's text, without the mark that some programs begin it with.
fn text_of(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Error::malformed("is text in UTF-16, and must be in UTF-8: save it again in that encoding"));
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let begins = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let at = 1 + String::from_utf8_lossy(&before[begins..]).chars().count();
        let why = format!(
            "line {line}: character {at} is not UTF-8: is the file in another encoding? Save it again in UTF-8"
        );
        Error::malformed(why)
    })
}

/// Whether a field has no value.
fn is_missing(field: &str) -> bool {
    matches!(field, "" | "NA" | "N/A" | "n/a" | "NaN" | "nan" | "NULL" | "null" | "?")
}

impl Table {
    /// Reads a file of comma-separated values, whose first line has the names of the columns.
    ///
    /// # Errors
    /// The file cannot be read, is not text in UTF-8 or holds no rows; a line has more or fewer fields than the first, or two columns
    /// have one name. The error says file, line and column.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Table::options().read(path)
    }

    /// The usual options, to be changed: commas, and names in the first line.
    pub fn options() -> Options {
        Options { delimiter: b',', has_names: true }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none, as when each had something missing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of the columns, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of the columns but these, in their order: of inputs beside targets.
    ///
    /// # Errors
    /// There is no column of such a name.
    pub fn names_but(&self, but: &[&str]) -> Result<Vec<&str>, Error> {
        but.iter().try_for_each(|name| self.place(name).map(|_| ()))?;
        Ok(self.names.iter().map(String::as_str).filter(|name| !but.contains(name)).collect())
    }

    /// The fields of a column, as they are.
    ///
    /// # Errors
    /// There is no such column.
    pub fn texts(&self, column: &str) -> Result<Vec<&str>, Error> {
        let at = self.place(column)?;
        Ok(self.rows.iter().map(|row| &row.fields[at]).collect())
    }

    /// Columns of numbers, `[rows, columns]`.
    ///
    /// # Errors
    /// There is no such column, or a field is missing or no finite number.
    pub fn numbers<T: Float>(&self, columns: &[&str]) -> Result<Tensor<T>, Error> {
        let places = columns.iter().map(|column| self.place(column)).collect::<Result<Vec<_>, _>>()?;
        let mut numbers = Vec::with_capacity(self.rows.len() * places.len());
        for row in &self.rows {
            for &at in &places {
                let number = T::from_f64(self.number_at(row, at)?);
                if !number.to_f64().is_finite() {
                    return Err(self.wrong(
                        row,
                        at,
                        &format!("{} is too large for {}", &row.fields[at], T::DTYPE.name()),
                    ));
                }
                numbers.push(number);
            }
        }
        Ok(Tensor::from_vec(numbers, [self.rows.len(), places.len()]))
    }

    /// A column of numbers, `[rows]`.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers).
    pub fn number<T: Float>(&self, column: &str) -> Result<Tensor<T>, Error> {
        Ok(self.numbers(&[column])?.reshape([self.rows.len()]))
    }

    /// A column of whole numbers, such as labels, `[rows]`.
    ///
    /// # Errors
    /// There is no such column, or a field is missing or no whole number.
    pub fn integers(&self, column: &str) -> Result<Tensor<i64>, Error> {
        let at = self.place(column)?;
        let integer = |row: &Row| {
            let number = self.number_at(row, at)?;
            let is_whole = number.fract() == 0.0 && number.abs() <= 9e15;
            if is_whole { Ok(number as i64) } else { Err(self.wrong(row, at, &format!("{number} is no whole number"))) }
        };
        self.rows.iter().map(integer).collect::<Result<Vec<_>, _>>().map(Tensor::from)
    }

    /// A column of categories: whatever texts there are, in order.
    ///
    /// # Errors
    /// There is no such column, or a field is missing.
    pub fn categories(&self, column: &str) -> Result<Categories, Error> {
        let texts: BTreeSet<&str> = self.texts(column)?.into_iter().filter(|text| !is_missing(text)).collect();
        let names: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        Ok(Categories { codes: self.codes(column, &names)?, names })
    }

    /// The places of a column's fields among these categories, `[rows]`: those of a table that came before, such as the one that a model
    /// was trained with.
    ///
    /// # Errors
    /// There is no such column, or a field is missing or none of the categories.
    pub fn codes(&self, column: &str, categories: &[String]) -> Result<Tensor<i64>, Error> {
        let at = self.place(column)?;
        let code = |row: &Row| {
            let field = &row.fields[at];
            categories.iter().position(|name| name == field).map(|code| code as i64).ok_or_else(|| {
                let why = format!("{field:?} is none of the categories {}", listed(categories));
                self.wrong(row, at, if is_missing(field) { MISSING } else { &why })
            })
        };
        self.rows.iter().map(code).collect::<Result<Vec<_>, _>>().map(Tensor::from)
    }

    /// Where something is missing.
    pub fn missing(&self) -> Vec<Missing> {
        let of_row = |row: &Row| {
            let of = |(field, name): (&str, &String)| {
                is_missing(field).then(|| Missing { line: row.line, column: name.clone() })
            };
            row.fields.iter().zip(&self.names).filter_map(of).collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(of_row).collect()
    }

    /// The rows in which none of these columns has something missing.
    ///
    /// # Errors
    /// There is no such column.
    pub fn without_missing(&self, columns: &[&str]) -> Result<Self, Error> {
        let places = columns.iter().map(|column| self.place(column)).collect::<Result<Vec<_>, _>>()?;
        let is_whole = |row: &&Row| places.iter().all(|&at| !is_missing(&row.fields[at]));
        Ok(Table { rows: self.rows.iter().filter(is_whole).cloned().collect(), ..self.clone() })
    }

    /// The table with this text wherever something is missing in a column.
    ///
    /// # Errors
    /// There is no such column.
    pub fn filled(&self, column: &str, with: impl ToString) -> Result<Self, Error> {
        let (at, with) = (self.place(column)?, with.to_string());
        let mut table = self.clone();
        for row in table.rows.iter_mut().filter(|row| is_missing(&row.fields[at])) {
            row.fields = row.fields.iter().enumerate().map(|(i, field)| if i == at { &with } else { field }).collect();
        }
        Ok(table)
    }

    fn number_at(&self, row: &Row, at: usize) -> Result<f64, Error> {
        let field = &row.fields[at];
        if is_missing(field) {
            return Err(self.wrong(row, at, MISSING));
        }
        match field.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) => Err(self.wrong(row, at, &format!("{field} is not finite"))),
            Err(_) if field.replacen(',', ".", 1).parse::<f64>().is_ok() => {
                Err(self.wrong(row, at, &format!("{field:?} is no number: its decimal point must be a point")))
            }
            Err(_) => Err(self.wrong(row, at, &format!("{field:?} is no number; `categories` reads texts"))),
        }
    }

    /// An error at a field.
    fn wrong(&self, row: &Row, at: usize, why: &str) -> Error {
        self.located(Error::malformed(format!("line {}, column {} ({:?}): {why}", row.line, at + 1, self.names[at])))
    }

    /// The place of a column.
    fn place(&self, column: &str) -> Result<usize, Error> {
        self.names.iter().position(|name| name == column).ok_or_else(|| {
            let mut why = format!("has no column {column:?}; there is {}", listed(&self.names));
            if let [only] = &self.names[..]
                && let Some(other) = [';', '\t', '|'].into_iter().find(|&other| only.contains(other))
            {
                why += &format!("; is {other:?} between the fields? `Table::options().delimiter(b{other:?})` says so");
            }
            self.located(Error::malformed(why))
        })
    }

    /// An error that says the file, where there is one.
    fn located(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.at(path),
            None => error,
        }
    }
}

/// What is said of a field without a value.
const MISSING: &str = "is missing; `without_missing` leaves its row out, `filled` puts a value there";

/// The first of some names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 12;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Table {
        Table::options().parse(text.as_bytes()).unwrap()
    }

    fn why<X: std::fmt::Debug>(result: Result<X, Error>) -> String {
        result.unwrap_err().to_string()
    }

    const TEXT: &str = "age,sex,\"b, m i\",label\n59,m,32.1,1\n48 , f,-2e1,0\r\n\n72,m,,3\n";

    #[test]
    fn columns_are_numbers_or_categories() {
        let table = of(TEXT);
        assert_eq!((table.len(), table.names().join("|")), (3, "age|sex|b, m i|label".into()));
        assert_eq!(
            table.numbers::<f64>(&["label", "age"]).unwrap(),
            Tensor::from([[1.0, 59.0], [0.0, 48.0], [3.0, 72.0]])
        );
        assert_eq!(table.integers("label").unwrap(), Tensor::from([1, 0, 3]));
        let Categories { codes, names } = table.categories("sex").unwrap();
        assert_eq!((codes, names.join("|")), (Tensor::from([1, 0, 1]), "f|m".into()));
        assert_eq!(table.names_but(&["label", "sex"]).unwrap(), ["age", "b, m i"]);
        let bare = Table::options().delimiter(b';').without_names().parse(b"1;2\n3;4").unwrap();
        assert_eq!(bare.numbers::<f32>(&["1", "0"]).unwrap(), Tensor::from([[2.0, 1.0], [4.0, 3.0]]));
        let marked = Table::options().parse(b"\xEF\xBB\xBFa\n1").unwrap();
        assert_eq!(marked.number::<f32>("a").unwrap(), Tensor::from([1.0]));
    }

    #[test]
    fn what_is_missing_is_said_and_can_be_mended() {
        let table = of(TEXT);
        assert_eq!(table.missing(), [Missing { line: 5, column: "b, m i".into() }]);
        let said = why(table.number::<f32>("b, m i"));
        assert!(said.starts_with("line 5, column 3 (\"b, m i\"): is missing; `without_missing`"), "{said}");
        let kept = table.without_missing(&["b, m i"]).unwrap();
        assert_eq!(kept.number::<f32>("b, m i").unwrap(), Tensor::from([32.1, -20.0]));
        let filled = table.filled("b, m i", 0.5).unwrap();
        assert_eq!(filled.number::<f32>("b, m i").unwrap(), Tensor::from([32.1, -20.0, 0.5]));
        assert!(why(of("a,b\n1,x\n2,NA").categories("b")).starts_with("line 3, column 2 (\"b\"): is missing"));
    }

    #[test]
    fn a_table_that_cannot_be_read_says_where() {
        let parse = |bytes: &[u8]| why(Table::options().parse(bytes));
        assert_eq!(parse(b""), "is empty");
        assert_eq!(parse(b"a,b\n"), "has a line of names and no rows below it");
        assert_eq!(parse(b"a,b\n1,2\n3\n"), "line 3: has 1 fields, and the first line has 2");
        assert_eq!(parse(b"a,b\n1,2,3\n"), "line 2: has 3 fields, and the first line has 2");
        assert_eq!(parse(b"a,b,a\n1,2,3\n"), "line 1: columns 1 and 3 are both called \"a\"");
        assert_eq!(
            parse(b"a,b\n1,2\n\"M\xFCller\",2\n"),
            "line 3: character 3 is not UTF-8: is the file in another encoding? Save it again in UTF-8"
        );
        assert!(parse(&[0xFF, 0xFE, b'a', 0]).starts_with("is text in UTF-16"));
        let table = of("a,b,c\n1,2,x\n3,\"4,5\",1.5\ninf,1,2\n");
        assert_eq!(why(table.number::<f32>("d")), "has no column \"d\"; there is \"a\", \"b\", \"c\"");
        assert_eq!(
            why(table.number::<f32>("c")),
            "line 2, column 3 (\"c\"): \"x\" is no number; `categories` reads texts"
        );
        assert_eq!(
            why(table.number::<f32>("b")),
            "line 3, column 2 (\"b\"): \"4,5\" is no number: its decimal point must be a point"
        );
        assert_eq!(why(table.number::<f32>("a")), "line 4, column 1 (\"a\"): inf is not finite");
        assert_eq!(why(of("a\n1e39").number::<f32>("a")), "line 2, column 1 (\"a\"): 1e39 is too large for f32");
        assert_eq!(of("a\n1e39").number::<f64>("a").unwrap(), Tensor::from([1e39]));
        assert_eq!(why(of("a\n1.5").integers("a")), "line 2, column 1 (\"a\"): 1.5 is no whole number");
        assert_eq!(
            why(of("a\nx").codes("a", &["y".into(), "z".into()])),
            "line 2, column 1 (\"a\"): \"x\" is none of the categories \"y\", \"z\""
        );
        let said = why(of("a;b\n1;2").number::<f32>("b"));
        assert!(said.ends_with("is ';' between the fields? `Table::options().delimiter(b';')` says so"), "{said}");
        let path = std::env::temp_dir().join(format!("evenkeel-table-{}.csv", std::process::id()));
        assert!(why(Table::read(&path)).starts_with(&path.display().to_string()));
        std::fs::write(&path, "a\nx").unwrap();
        let said = why(Table::read(&path).unwrap().number::<f32>("a"));
        assert_eq!(
            said,
            format!("{}: line 2, column 1 (\"a\"): \"x\" is no number; `categories` reads texts", path.display())
        );
        std::fs::remove_file(path).unwrap();
    }
}
