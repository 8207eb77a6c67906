//! Expressions: binary operators by levels of binding, then signs, then literals, names, lists and calls.

use super::super::ast::{Arg, Binary, Expr, ExprKind};
use super::super::cursor::Cursor;
use super::super::lex::{Kind, Mistake};
use super::{DEEPEST, name};

pub(super) fn parse(cursor: &mut Cursor) -> Result<Expr, Mistake> {
    if cursor.depth == DEEPEST {
        return Err((cursor.at(), "expressions are nested too deeply".into()));
    }
    cursor.depth += 1;
    let expr = level(cursor, 0);
    cursor.depth -= 1;
    expr
}

/// Operators of this level of binding and tighter ones.
fn level(cursor: &mut Cursor, depth: usize) -> Result<Expr, Mistake> {
    let Some(operators) = Binary::LEVELS.get(depth) else {
        return unary(cursor);
    };
    let mut left = level(cursor, depth + 1)?;
    let mut chained = 0;
    loop {
        let at = cursor.at();
        let Some((_, operator)) = operators.iter().find(|(sign, _)| cursor.accept(sign)) else {
            return Ok(left);
        };
        chained += 1;
        if chained > DEEPEST {
            return Err((at, "the expression is too long: use a variable".into()));
        }
        let right = level(cursor, depth + 1)?;
        left = Expr {
            at,
            kind: ExprKind::Binary(*operator, Box::new(left), Box::new(right)),
        };
    }
}

fn unary(cursor: &mut Cursor) -> Result<Expr, Mistake> {
    let at = cursor.at();
    let wrap: fn(Box<Expr>) -> ExprKind = if cursor.accept("-") {
        ExprKind::Negate
    } else if cursor.accept("not") {
        ExprKind::Not
    } else {
        return primary(cursor);
    };
    Ok(Expr {
        at,
        kind: wrap(Box::new(primary(cursor)?)),
    })
}

fn primary(cursor: &mut Cursor) -> Result<Expr, Mistake> {
    let at = cursor.at();
    let kind = match cursor.peek().clone() {
        Kind::Int(n) => ExprKind::Int(n),
        Kind::Float(x) => ExprKind::Float(x),
        Kind::Size(extents) => ExprKind::Size(extents),
        Kind::Str(text) => ExprKind::Str(text),
        Kind::Mark("(") => {
            cursor.advance();
            let inner = parse(cursor)?;
            cursor.expect(")")?;
            return Ok(inner);
        }
        Kind::Mark("[") => {
            cursor.advance();
            let kind = ExprKind::List(cursor.list("]", parse)?);
            return Ok(Expr { at, kind });
        }
        Kind::Word(_) => {
            let callee = name(cursor)?;
            let kind = match cursor.accept("(") {
                true => ExprKind::Call {
                    callee,
                    args: cursor.list(")", argument)?,
                },
                false => ExprKind::Name(callee.text),
            };
            return Ok(Expr { at, kind });
        }
        _ => return cursor.expected("a value"),
    };
    cursor.advance();
    Ok(Expr { at, kind })
}

/// `value` or `name=value`
fn argument(cursor: &mut Cursor) -> Result<Arg, Mistake> {
    let is_named = matches!(cursor.peek(), Kind::Word(_)) && *cursor.second() == Kind::Mark("=");
    let name = is_named.then(|| cursor.name("an option")).transpose()?;
    if name.is_some() {
        cursor.expect("=")?;
    }
    Ok(Arg {
        name,
        value: parse(cursor)?,
    })
}
