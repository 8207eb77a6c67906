use super::{Same, check};

/// `r` is read before and behind the peak, which is at `g`; `a`, from which it is computed, is kept anyway.
#[test]
fn a_value_read_by_both_halves_is_computed_twice() {
    let after = check(
        "recompute",
        Same,
        r#"
        (%x: f32[64,64], %w: f32[64,64]) {
          %a = MatMul(%x, %w)
          %r = Tanh(%a)
          %b = MatMul(%r, %w)
          %g = MatMul(%b, %w)
          %h = Mul(%g, %r)
          %k = MatMul(%h, %w)
          %m = Mul(%k, %a)
          %n = MatMul(%m, %w)
          %o = MatMul(%n, %w)
          %p = MatMul(%o, %w)
          return "p" = %p
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[64,64], %w: f32[64,64]) {
      %a = MatMul(%x, %w) : f32[64,64]
      %r = Tanh(%a) : f32[64,64]
      %b = MatMul(%r, %w) : f32[64,64]
      %g = MatMul(%b, %w) : f32[64,64]
      %v12 = Tanh(%a) : f32[64,64]
      %h = Mul(%g, %v12) : f32[64,64]
      %k = MatMul(%h, %w) : f32[64,64]
      %m = Mul(%k, %a) : f32[64,64]
      %n = MatMul(%m, %w) : f32[64,64]
      %o = MatMul(%n, %w) : f32[64,64]
      %p = MatMul(%o, %w) : f32[64,64]
      return "p" = %p
    }
    "#);
}

#[test]
fn a_value_whose_operand_would_be_kept_for_it_is_left_alone() {
    let after = check(
        "recompute",
        Same,
        r#"
        (%x: f32[64,64], %w: f32[64,64]) {
          %a = MatMul(%x, %w)
          %r = Tanh(%a)
          %b = MatMul(%r, %w)
          %g = MatMul(%b, %w)
          %h = Mul(%g, %r)
          %m = MatMul(%h, %w)
          %n = MatMul(%m, %w)
          %o = MatMul(%n, %w)
          %p = MatMul(%o, %w)
          %q = MatMul(%p, %w)
          return "q" = %q
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[64,64], %w: f32[64,64]) {
      %a = MatMul(%x, %w) : f32[64,64]
      %r = Tanh(%a) : f32[64,64]
      %b = MatMul(%r, %w) : f32[64,64]
      %g = MatMul(%b, %w) : f32[64,64]
      %h = Mul(%g, %r) : f32[64,64]
      %m = MatMul(%h, %w) : f32[64,64]
      %n = MatMul(%m, %w) : f32[64,64]
      %o = MatMul(%n, %w) : f32[64,64]
      %p = MatMul(%o, %w) : f32[64,64]
      %q = MatMul(%p, %w) : f32[64,64]
      return "q" = %q
    }
    "#);
}

#[test]
fn of_a_chain_every_other_value_is_computed_twice() {
    let after = check(
        "recompute",
        Same,
        r#"
        (%x: f32[64,64], %w: f32[64,64]) {
          %a = MatMul(%x, %w)
          %r = Tanh(%a)
          %s = Sin(%r)
          %b = MatMul(%s, %w)
          %g = MatMul(%b, %w)
          %h = Mul(%g, %s)
          %k = MatMul(%h, %w)
          %l = Mul(%k, %r)
          %n = MatMul(%l, %w)
          %m = Mul(%n, %a)
          return "m" = %m
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[64,64], %w: f32[64,64]) {
      %a = MatMul(%x, %w) : f32[64,64]
      %r = Tanh(%a) : f32[64,64]
      %s = Sin(%r) : f32[64,64]
      %b = MatMul(%s, %w) : f32[64,64]
      %g = MatMul(%b, %w) : f32[64,64]
      %h = Mul(%g, %s) : f32[64,64]
      %k = MatMul(%h, %w) : f32[64,64]
      %v12 = Tanh(%a) : f32[64,64]
      %l = Mul(%k, %v12) : f32[64,64]
      %n = MatMul(%l, %w) : f32[64,64]
      %m = Mul(%n, %a) : f32[64,64]
      return "m" = %m
    }
    "#);
}
