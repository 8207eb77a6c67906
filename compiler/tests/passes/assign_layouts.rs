//! Channels in blocks between convolutions, reorders at the border.

use super::{Same, check};

#[test]
fn reorders_stand_at_the_border_only() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,8,6,6]) {
          %v = seeded f32[16,8,3,3]
          %w = seeded f32[16,16,3,3]
          %a = Conv(%x, %v) {pads=[1, 1, 1, 1]}
          %b = Relu(%a)
          %c = Conv(%b, %w) {pads=[1, 1, 1, 1]}
          return "y" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    5
    graph "t" (%x: f32[1,8,6,6]) {
      %x.blocked = cnnc.Reorder(%x) {block=16, halo=[1, 1, 1, 1]} : f32[1,8,6,6]:nchw16c+1,1,1,1
      %v = const f32[16,8,3,3] <...>
      %a = Conv(%x.blocked, %v) {pads=[1, 1, 1, 1]} : f32[1,16,6,6]:nchw16c
      %b = Relu(%a) : f32[1,16,6,6]:nchw16c+1,1,1,1
      %w = const f32[16,16,3,3] <...>
      %c = Conv(%b, %w) {pads=[1, 1, 1, 1]} : f32[1,16,6,6]:nchw16c
      %c.plain = cnnc.Reorder(%c) {block=0, halo=[0, 0, 0, 0]} : f32[1,16,6,6]
      return "y" = %c.plain
    }
    "#);
}

#[test]
fn a_picture_of_few_channels_is_read_as_it_is() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,3,6,6]) {
          %v = seeded f32[16,3,3,3]
          %w = seeded f32[16,1,3,3]
          %a = Conv(%x, %v) {pads=[1, 1, 1, 1], strides=[2, 2]}
          %b = Conv(%a, %w) {pads=[1, 1, 1, 1], group=16}
          %y = GlobalAveragePool(%b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[1,3,6,6]) {
      %v = const f32[16,3,3,3] <...>
      %a = Conv(%x, %v) {pads=[1, 1, 1, 1], strides=[2, 2]} : f32[1,16,3,3]:nchw16c+1,1,1,1
      %w = const f32[16,1,3,3] <...>
      %b = Conv(%a, %w) {group=16, pads=[1, 1, 1, 1]} : f32[1,16,3,3]:nchw16c
      %y = GlobalAveragePool(%b) : f32[1,16,1,1]
      return "y" = %y
    }
    "#);
}

#[test]
fn parts_of_a_concatenation_share_its_halo() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,16,4,4]) {
          %u = seeded f32[16,16,1,1]
          %v = seeded f32[8,16,1,1]
          %w = seeded f32[8,24,3,3]
          %a = Conv(%x, %u)
          %b = Conv(%x, %v)
          %c = Concat(%a, %b) {axis=1}
          %y = Conv(%c, %w) {pads=[1, 1, 1, 1]}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    6
    graph "t" (%x: f32[1,16,4,4]) {
      %x.blocked = cnnc.Reorder(%x) {block=16, halo=[0, 0, 0, 0]} : f32[1,16,4,4]:nchw16c
      %u = const f32[16,16,1,1] <...>
      %a = Conv(%x.blocked, %u) : f32[1,16,4,4]:nchw16c+1,1,1,1
      %v = const f32[8,16,1,1] <...>
      %b = Conv(%x.blocked, %v) : f32[1,8,4,4]:nchw16c+1,1,1,1
      %c = Concat(%a, %b) {axis=1} : f32[1,24,4,4]:nchw16c+1,1,1,1
      %w = const f32[8,24,3,3] <...>
      %y = Conv(%c, %w) {pads=[1, 1, 1, 1]} : f32[1,8,4,4]:nchw16c
      %y.plain = cnnc.Reorder(%y) {block=0, halo=[0, 0, 0, 0]} : f32[1,8,4,4]
      return "y" = %y.plain
    }
    "#);
}

#[test]
fn one_reorder_serves_all_plain_readers() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,16,4,4]) {
          %w = seeded f32[16,16,1,1]
          %s = const i64[2] [1, -1]
          %a = Conv(%x, %w)
          %b = Reshape(%a, %s)
          %c = Transpose(%a) {perm=[0, 2, 3, 1]}
          return "b" = %b, "c" = %c, "a" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    3
    graph "t" (%x: f32[1,16,4,4]) {
      %x.blocked = cnnc.Reorder(%x) {block=16, halo=[0, 0, 0, 0]} : f32[1,16,4,4]:nchw16c
      %w = const f32[16,16,1,1] <...>
      %a = Conv(%x.blocked, %w) : f32[1,16,4,4]:nchw16c
      %a.plain = cnnc.Reorder(%a) {block=0, halo=[0, 0, 0, 0]} : f32[1,16,4,4]
      %s = const i64[2] [1, -1]
      %b = Reshape(%a.plain, %s) : f32[1,256]
      %c = Transpose(%a.plain) {perm=[0, 2, 3, 1]} : f32[1,4,4,16]
      return "b" = %b, "c" = %c, "a" = %a.plain
    }
    "#);
}

#[test]
fn groups_of_odd_size_and_other_types_stay_plain() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,6,4,4], %h: f16[1,16,4,4]) {
          %w = seeded f32[6,3,1,1]
          %v = seeded f16[16,16,1,1]
          %a = Conv(%x, %w) {group=2}
          %b = Conv(%h, %v)
          return "a" = %a, "b" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,6,4,4], %h: f16[1,16,4,4]) {
      %w = const f32[6,3,1,1] <...>
      %a = Conv(%x, %w) {group=2} : f32[1,6,4,4]
      %v = const f16[16,16,1,1] <...>
      %b = Conv(%h, %v) : f16[1,16,4,4]
      return "a" = %a, "b" = %b
    }
    "#);
}

#[test]
fn single_pixels_stay_plain() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,16,1,1]) {
          %w = seeded f32[16,16,1,1]
          %a = Conv(%x, %w)
          return "y" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,16,1,1]) {
      %w = const f32[16,16,1,1] <...>
      %a = Conv(%x, %w) : f32[1,16,1,1]
      return "y" = %a
    }
    "#);
}

#[test]
fn slices_of_whole_blocks_and_pads_keep_the_blocks() {
    let after = check(
        "assign_layouts",
        Same,
        r#"
        (%x: f32[1,16,4,4]) {
          %v = seeded f32[32,16,1,1]
          %w = seeded f32[16,16,3,3]
          %start = const i64[1] [16]
          %end = const i64[1] [32]
          %axis = const i64[1] [1]
          %pads = const i64[8] [0, 0, 1, 0, 0, 0, 0, 1]
          %a = Conv(%x, %v)
          %b = Slice(%a, %start, %end, %axis)
          %c = Pad(%b, %pads)
          %y = Conv(%c, %w)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    6
    graph "t" (%x: f32[1,16,4,4]) {
      %x.blocked = cnnc.Reorder(%x) {block=16, halo=[0, 0, 0, 0]} : f32[1,16,4,4]:nchw16c
      %v = const f32[32,16,1,1] <...>
      %a = Conv(%x.blocked, %v) : f32[1,32,4,4]:nchw16c
      %start = const i64[1] [16]
      %end = const i64[1] [32]
      %axis = const i64[1] [1]
      %b = Slice(%a, %start, %end, %axis) : f32[1,16,4,4]:nchw16c
      %pads = const i64[8] [0, 0, 1, 0, 0, 0, 0, 1]
      %c = Pad(%b, %pads) : f32[1,16,5,5]:nchw16c
      %w = const f32[16,16,3,3] <...>
      %y = Conv(%c, %w) : f32[1,16,3,3]:nchw16c
      %y.plain = cnnc.Reorder(%y) {block=0, halo=[0, 0, 0, 0]} : f32[1,16,3,3]
      return "y" = %y.plain
    }
    "#);
}
