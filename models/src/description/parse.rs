//! Parsing. A mistake spoils its line only, so that one run shows several.

mod expression;

use super::ast::{Block, Expr, File, Import, Input, Name, Parameter, Setting, Statement, Train};
use super::cursor::Cursor;
use super::lex::{Kind, Mistake, tokens};
use cnnc_ir::spelling::hint;
use cnnc_ir::types::DType;

/// Bodies and expressions within each other that the parser follows.
const DEEPEST: usize = 48;

/// Words that begin something, and so name nothing.
const KEYWORDS: [&str; 13] = [
    "network", "input", "import", "block", "train", "output", "if", "else", "repeat", "for", "in",
    "return", "as",
];

/// What a text says, and the mistakes found in it.
pub(super) fn parse(text: &str) -> (File, Vec<Mistake>) {
    let (tokens, mistakes) = tokens(text);
    let mut cursor = Cursor::new(tokens, mistakes);
    let mut file = File::default();
    if let Err(mistake) = head(&mut cursor, &mut file) {
        cursor.mistakes.push(mistake);
        cursor.recover(0);
    }
    while *cursor.peek() != Kind::End {
        let start = cursor.position();
        if let Err(mistake) = item(&mut cursor, &mut file) {
            cursor.mistakes.push(mistake);
            cursor.recover(start);
        }
    }
    (file, cursor.mistakes)
}

/// `network vgg16(classes=1000, size=224)`
fn head(cursor: &mut Cursor, file: &mut File) -> Result<(), Mistake> {
    cursor.expect("network")?;
    file.name = name(cursor)?;
    if cursor.accept("(") {
        file.parameters = parameters(cursor)?;
    }
    Ok(())
}

/// `classes=10, size=64` and nothing else.
pub(super) fn arguments(text: &str) -> Result<Vec<(Name, Expr)>, Mistake> {
    let (tokens, mut mistakes) = tokens(text);
    if !mistakes.is_empty() {
        return Err(mistakes.swap_remove(0));
    }
    let mut cursor = Cursor::new(tokens, mistakes);
    let mut arguments = Vec::new();
    loop {
        let name = name(&mut cursor)?;
        cursor.expect("=")?;
        arguments.push((name, expression::parse(&mut cursor)?));
        match cursor.peek() {
            Kind::End => return Ok(arguments),
            _ => cursor.expect(",")?,
        }
    }
}

/// One thing that stands outside of blocks.
fn item(cursor: &mut Cursor, file: &mut File) -> Result<(), Mistake> {
    let at = cursor.at();
    match *cursor.peek() {
        Kind::Word("input") => {
            cursor.advance();
            file.inputs.push(input(cursor)?);
        }
        Kind::Word("import") => {
            cursor.advance();
            let path = cursor.string("a file name in quotes")?;
            cursor.expect("as")?;
            let name = name(cursor)?;
            file.imports.push(Import {
                at,
                file: path,
                name,
            });
        }
        Kind::Word("block") => {
            cursor.advance();
            file.blocks.push(block(cursor)?);
        }
        Kind::Word("train") => {
            cursor.advance();
            if file.train.is_some() {
                return Err((at, "there is a 'train' section already".into()));
            }
            file.train = Some(train(cursor)?);
        }
        _ => file.body.push(statement(cursor)?),
    }
    Ok(())
}

/// A name that is no keyword.
fn name(cursor: &mut Cursor) -> Result<Name, Mistake> {
    match cursor.peek() {
        Kind::Word(word) if KEYWORDS.contains(word) => cursor.expected("a name that is no keyword"),
        _ => cursor.name("a name"),
    }
}

/// `image: f32[1, 28, 28]`
fn input(cursor: &mut Cursor) -> Result<Input, Mistake> {
    let name = name(cursor)?;
    cursor.expect(":")?;
    let ty = cursor.name("an element type such as f32")?;
    let Some(dtype) = DType::from_name(&ty.text) else {
        let hint = hint(&ty.text, DType::ALL.map(DType::name));
        return Err((ty.at, format!("unknown element type '{}'{hint}", ty.text)));
    };
    cursor.expect("[")?;
    let shape = cursor.list("]", expression::parse)?;
    Ok(Input { name, dtype, shape })
}

/// `residual(x, channels, stride = 1) { ... }`
fn block(cursor: &mut Cursor) -> Result<Block, Mistake> {
    let title = name(cursor)?;
    cursor.expect("(")?;
    Ok(Block {
        name: title,
        parameters: parameters(cursor)?,
        body: body(cursor)?,
    })
}

/// `x, channels, stride = 1)`
fn parameters(cursor: &mut Cursor) -> Result<Vec<Parameter>, Mistake> {
    let mut names: Vec<String> = Vec::new();
    cursor.list(")", |cursor| {
        let name = name(cursor)?;
        if names.contains(&name.text) {
            let message = format!("there is a parameter '{}' already", name.text);
            return Err((name.at, message));
        }
        names.push(name.text.clone());
        let default = cursor
            .accept("=")
            .then(|| expression::parse(cursor))
            .transpose()?;
        Ok(Parameter { name, default })
    })
}

/// `{ statement ... }`; a statement with a mistake is reported and left out.
fn body(cursor: &mut Cursor) -> Result<Vec<Statement>, Mistake> {
    if cursor.depth == DEEPEST {
        return Err((cursor.at(), "bodies are nested too deeply".into()));
    }
    let open = cursor.at();
    cursor.expect("{")?;
    cursor.depth += 1;
    let mut statements = Vec::new();
    while !cursor.is_mark("}") && *cursor.peek() != Kind::End {
        let start = cursor.position();
        match statement(cursor) {
            Ok(statement) => statements.push(statement),
            Err(mistake) => {
                cursor.mistakes.push(mistake);
                cursor.recover(start);
            }
        }
    }
    cursor.depth -= 1;
    match cursor.accept("}") {
        true => Ok(statements),
        false => Err((open, "this '{' is not closed".into())),
    }
}

fn statement(cursor: &mut Cursor) -> Result<Statement, Mistake> {
    let at = cursor.at();
    match *cursor.peek() {
        Kind::Word("if") => {
            cursor.advance();
            conditional(cursor)
        }
        Kind::Word("repeat") => {
            cursor.advance();
            Ok(Statement::Repeat {
                count: expression::parse(cursor)?,
                body: body(cursor)?,
            })
        }
        Kind::Word("for") => {
            cursor.advance();
            let targets = names(cursor)?;
            cursor.expect("in")?;
            Ok(Statement::For {
                targets,
                list: expression::parse(cursor)?,
                body: body(cursor)?,
            })
        }
        Kind::Word("return") => {
            cursor.advance();
            let mut values = vec![expression::parse(cursor)?];
            while cursor.accept(",") {
                values.push(expression::parse(cursor)?);
            }
            Ok(Statement::Return { at, values })
        }
        Kind::Word("output") => {
            cursor.advance();
            let name = name(cursor)?;
            cursor.expect("=")?;
            Ok(Statement::Output {
                name,
                value: expression::parse(cursor)?,
            })
        }
        Kind::Word(word) if !KEYWORDS.contains(&word) => {
            if *cursor.second() == Kind::Mark("(") {
                let message =
                    "a value is computed and not used: write 'name = ...' or 'return ...'";
                return Err((at, message.into()));
            }
            let targets = names(cursor)?;
            cursor.expect("=")?;
            Ok(Statement::Assign {
                targets,
                value: expression::parse(cursor)?,
            })
        }
        _ => cursor.expected("a statement such as 'x = conv(x, 32, 3x3)'"),
    }
}

/// `a, b`
fn names(cursor: &mut Cursor) -> Result<Vec<Name>, Mistake> {
    let mut names = vec![name(cursor)?];
    while cursor.accept(",") {
        names.push(name(cursor)?);
    }
    Ok(names)
}

/// What follows `if`.
fn conditional(cursor: &mut Cursor) -> Result<Statement, Mistake> {
    let condition = expression::parse(cursor)?;
    let then = body(cursor)?;
    let otherwise = match cursor.accept("else") {
        false => Vec::new(),
        true if cursor.is_word("if") => {
            if cursor.depth == DEEPEST {
                return Err((cursor.at(), "bodies are nested too deeply".into()));
            }
            cursor.advance();
            cursor.depth += 1;
            let nested = conditional(cursor);
            cursor.depth -= 1;
            vec![nested?]
        }
        true => body(cursor)?,
    };
    Ok(Statement::If {
        condition,
        then,
        otherwise,
    })
}

/// `{ setting item, item ... }`
fn train(cursor: &mut Cursor) -> Result<Train, Mistake> {
    let open = cursor.at();
    cursor.expect("{")?;
    let mut settings = Vec::new();
    while !cursor.accept("}") {
        if *cursor.peek() == Kind::End {
            return Err((open, "this '{' is not closed".into()));
        }
        let name = cursor.name("a setting such as 'epochs 10'")?;
        let mut items = vec![option(cursor)?];
        while cursor.accept(",") {
            items.push(option(cursor)?);
        }
        settings.push(Setting { name, items });
    }
    Ok(Train { settings })
}

/// `adam(lr=1e-3)`, `patience=3` or `32` as an option text: `adam:lr=1e-3`, `patience=3`, `32`.
fn option(cursor: &mut Cursor) -> Result<Name, Mistake> {
    let at = cursor.at();
    let mut text = literal(cursor)?;
    if cursor.accept("=") {
        text = format!("{text}={}", literal(cursor)?);
    } else if cursor.accept("(") {
        let options = cursor.list(")", |cursor| {
            let key = literal(cursor)?;
            Ok(match cursor.accept("=") {
                true => format!("{key}={}", literal(cursor)?),
                false => key,
            })
        })?;
        if !options.is_empty() {
            text = format!("{text}:{}", options.join(","));
        }
    }
    Ok(Name { at, text })
}

/// A word or a number as it is written.
fn literal(cursor: &mut Cursor) -> Result<String, Mistake> {
    let sign = if cursor.accept("-") { "-" } else { "" };
    match cursor.peek() {
        Kind::Word(_) | Kind::Int(_) | Kind::Float(_) => {
            let text = format!("{sign}{}", cursor.token().text);
            cursor.advance();
            Ok(text)
        }
        _ => cursor.expected("a word or a number"),
    }
}
