//! Elements that change place, are repeated, or join.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    let bodies = [
        "%y = Transpose(%x) {perm=[2, 0, 1]}",
        "%s = const i64[2] [0, -1]\n  %y = Reshape(%x, %s)",
        "%s = const i64[2] [1, 4]\n  %e = const i64[2] [4, 0]\n  %a = const i64[2] [1, 2]\n  %t = const i64[2] [1, -2]\n  %y = Slice(%x, %s, %e, %a, %t)",
        "%p = const i64[6] [0, 2, -1, 1, 0, 3]\n  %y = Pad(%x, %p)",
        "%p = const i64[6] [0, 1, 1, 0, 1, 2]\n  %y = Pad(%x, %p) {mode=\"reflect\"}",
        "%y = Concat(%x, %x) {axis=1}",
        "%p, %q = Split(%x) {axis=2, num_outputs=2}\n  %y = Mul(%p, %p)",
        "%n = Neg(%x)\n  %p, %q = Split(%n) {axis=-2, num_outputs=2}\n  %t = Sin(%q)\n  %y = Concat(%t, %p) {axis=1}",
        "%s = const i64[4] [3, 1, 1, 1]\n  %y = Expand(%x, %s)",
        "%s = const i64[3] [1, 2, 3]\n  %y = Tile(%x, %s)",
        "%a = const i64[1] [0]\n  %y = Unsqueeze(%x, %a)",
        "%a = const i64[1] [0]\n  %u = Unsqueeze(%x, %a)\n  %y = Squeeze(%u, %a)",
        "%y = Flatten(%x)",
        "%y = Trilu(%x)",
        "%s = const i64[2] [4, 9]\n  %y = CenterCropPad(%x, %s) {axes=[1, 2]}",
        "%y = OptionalGetElement(%x)",
    ];
    let bodies = bodies.map(|body| format!("(%x: f64[{{a}},{{d}},{{e}}]) {{\n  {body}"));
    [
        drawn([-1.0, 1.0], bodies),
        drawn(
            [-1.0, 1.0],
            [
                "(%x: f64[{a},8,{b},{c}]) {\n  %y = DepthToSpace(%x) {blocksize=2}",
                "(%x: f64[{a},{b},4,6]) {\n  %y = SpaceToDepth(%x) {blocksize=2}",
                "(%x: f64[{a},8,6]) {\n  %s = const i64[2] [3, 4]\n  %k = const i64[2] [2, 2]\n  %y = Col2Im(%x, %s, %k)",
                "(%x: f64[1,3,4,5]) {\n  %y = cnnc.Reorder(%x) {block=0}",
            ],
        ),
    ]
    .concat()
}
