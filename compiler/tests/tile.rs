//! The printed forms of a tile: description, machine code, and why it cannot be assembled.

use cnnc::kernel::tile::{
    Clip, Column, Init, Lanes, Loop, Nest, Pixel, Source, Step, Tap, Target, Tile, TileCode,
    assemble, listing,
};

/// A 3x3 convolution's tile in small: two pixels, two loops, a partial last column.
fn small(lanes: Lanes) -> Tile {
    let full = Column::full(lanes, 0);
    let tail = Column {
        valid: 3,
        output: lanes.bytes() as i32,
        ..full
    };
    Tile {
        source: Source::Broadcast,
        pixels: vec![
            Pixel {
                input: 0,
                output: 0,
            },
            Pixel {
                input: 64,
                output: 512,
            },
        ],
        columns: vec![full, tail],
        init: Init::Bias,
        reduction: vec![Nest {
            input: 0,
            weights: 0,
            taps: taps(&[0, 4], 2 * lanes.bytes() as i32),
            loops: vec![
                Loop {
                    trip: 3,
                    input: 64,
                    weights: 4 * lanes.bytes() as i32,
                },
                Loop {
                    trip: 3,
                    input: 1920,
                    weights: 12 * lanes.bytes() as i32,
                },
            ],
        }],
        epilogue: vec![
            Step::AddResidual,
            Step::Max(0.0.into()),
            Step::Min(6.0.into()),
        ],
    }
}

/// Taps on consecutive rows of weights.
fn taps(inputs: &[i32], row: i32) -> Vec<Tap> {
    inputs
        .iter()
        .enumerate()
        .map(|(index, &input)| Tap {
            input,
            weights: index as i32 * row,
            clip: Clip::NONE,
        })
        .collect()
}

fn assembled(tile: &Tile, target: Target) -> String {
    match assemble(tile, target) {
        Ok(TileCode::Bytes(bytes)) => listing(&bytes),
        Ok(TileCode::Clif(function)) => function.display().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn description() {
    insta::assert_snapshot!(small(Lanes::Sixteen), @"
    tile 2 x 2 broadcast init bias
      pixels  in [0..+64x2] out [0..+512x2]
      column  f32x16 out 0
      column  f32x16 valid 3 out 64
      reduce  3 times (in +1920, weights +768) 3 times (in +64, weights +256) taps in [0..+4x2] weights [0..+128x2] from in 0 weights 0
      then    add residual
      then    max 0.0
      then    min 6.0
    ");
}

#[test]
fn avx512() {
    insta::assert_snapshot!(assembled(&small(Lanes::Sixteen), Target::Avx512), @"
      0  push rbx
      1  push rbp
      2  lea rdi, [rdi+200h]
      9  mov eax, 7
      e  kmovw k1, eax
     12  vmovups zmm0, [rcx]
     19  vmovaps zmm2, zmm0
     1f  vmovups zmm1{k1}{z}, [rcx+40h]
     26  vmovaps zmm3, zmm1
     2c  mov rbp, 3
     33  mov rbx, 3
     3a  vmovups zmm4, [rsi]
     41  vmovups zmm5{k1}{z}, [rsi+40h]
     48  vfmadd231ps zmm0, zmm4, [rdi-200h]{1to16}
     4f  vfmadd231ps zmm1, zmm5, [rdi-200h]{1to16}
     56  vfmadd231ps zmm2, zmm4, [rdi-1C0h]{1to16}
     5d  vfmadd231ps zmm3, zmm5, [rdi-1C0h]{1to16}
     64  vmovups zmm4, [rsi+80h]
     6b  vmovups zmm5{k1}{z}, [rsi+0C0h]
     72  vfmadd231ps zmm0, zmm4, [rdi-1FCh]{1to16}
     79  vfmadd231ps zmm1, zmm5, [rdi-1FCh]{1to16}
     80  vfmadd231ps zmm2, zmm4, [rdi-1BCh]{1to16}
     87  vfmadd231ps zmm3, zmm5, [rdi-1BCh]{1to16}
     8e  add rdi, 40h
     92  add rsi, 100h
     99  dec rbx
     9c  jne short 000000000000003Ah
     9e  add rdi, 6C0h
     a5  dec rbp
     a8  jne short 0000000000000033h
     aa  vaddps zmm0, zmm0, [r8]
     b1  vmovups zmm4{k1}{z}, [r8+40h]
     b8  vaddps zmm1, zmm1, zmm4
     be  vaddps zmm2, zmm2, [r8+200h]
     c5  vmovups zmm4{k1}{z}, [r8+240h]
     cc  vaddps zmm3, zmm3, zmm4
     d2  vpxord zmm4, zmm4, zmm4
     d8  vmaxps zmm0, zmm4, zmm0
     de  vmaxps zmm1, zmm4, zmm1
     e4  vmaxps zmm2, zmm4, zmm2
     ea  vmaxps zmm3, zmm4, zmm3
     f0  mov eax, 40C00000h
     f5  vpbroadcastd zmm4, eax
     fb  vminps zmm0, zmm4, zmm0
    101  vminps zmm1, zmm4, zmm1
    107  vminps zmm2, zmm4, zmm2
    10d  vminps zmm3, zmm4, zmm3
    113  vmovups [rdx], zmm0
    11a  vmovups [rdx+40h]{k1}, zmm1
    121  vmovups [rdx+200h], zmm2
    128  vmovups [rdx+240h]{k1}, zmm3
    12f  pop rbp
    130  pop rbx
    131  vzeroupper
    134  ret
    ");
}

#[test]
fn avx2() {
    insta::assert_snapshot!(assembled(&small(Lanes::Eight), Target::Avx2), @"
      0  push rbx
      1  push rbp
      2  mov rax, 0FFFFFFh
      c  vmovq xmm15, rax
     11  vpmovsxbd ymm15, xmm15
     16  vmovups ymm0, [rcx]
     1b  vmovaps ymm2, ymm0
     1f  vmaskmovps ymm1, ymm15, [rcx+20h]
     25  vmovaps ymm3, ymm1
     29  mov rbp, 3
     30  mov rbx, 3
     37  vmovups ymm4, [rsi]
     3c  vmaskmovps ymm5, ymm15, [rsi+20h]
     42  vbroadcastss ymm6, [rdi]
     48  vfmadd231ps ymm0, ymm6, ymm4
     4d  vfmadd231ps ymm1, ymm6, ymm5
     52  vbroadcastss ymm7, [rdi+40h]
     58  vfmadd231ps ymm2, ymm7, ymm4
     5d  vfmadd231ps ymm3, ymm7, ymm5
     62  vmovups ymm4, [rsi+40h]
     67  vmaskmovps ymm5, ymm15, [rsi+60h]
     6d  vbroadcastss ymm6, [rdi+4]
     73  vfmadd231ps ymm0, ymm6, ymm4
     78  vfmadd231ps ymm1, ymm6, ymm5
     7d  vbroadcastss ymm7, [rdi+44h]
     83  vfmadd231ps ymm2, ymm7, ymm4
     88  vfmadd231ps ymm3, ymm7, ymm5
     8d  add rdi, 40h
     91  add rsi, 80h
     98  dec rbx
     9b  jne short 0000000000000037h
     9d  add rdi, 6C0h
     a4  dec rbp
     a7  jne short 0000000000000030h
     a9  vaddps ymm0, ymm0, [r8]
     af  vmaskmovps ymm4, ymm15, [r8+20h]
     b5  vaddps ymm1, ymm1, ymm4
     b9  vaddps ymm2, ymm2, [r8+200h]
     c2  vmaskmovps ymm4, ymm15, [r8+220h]
     cb  vaddps ymm3, ymm3, ymm4
     cf  vxorps ymm4, ymm4, ymm4
     d3  vmaxps ymm0, ymm4, ymm0
     d7  vmaxps ymm1, ymm4, ymm1
     db  vmaxps ymm2, ymm4, ymm2
     df  vmaxps ymm3, ymm4, ymm3
     e3  mov eax, 40C00000h
     e8  vmovd xmm4, eax
     ec  vbroadcastss ymm4, xmm4
     f1  vminps ymm0, ymm4, ymm0
     f5  vminps ymm1, ymm4, ymm1
     f9  vminps ymm2, ymm4, ymm2
     fd  vminps ymm3, ymm4, ymm3
    101  vmovups [rdx], ymm0
    106  vmaskmovps [rdx+20h], ymm15, ymm1
    10c  vmovups [rdx+200h], ymm2
    114  vmaskmovps [rdx+220h], ymm15, ymm3
    11d  pop rbp
    11e  pop rbx
    11f  vzeroupper
    122  ret
    ");
}

#[test]
fn cranelift() {
    let mut tile = small(Lanes::Four);
    tile.pixels.truncate(1);
    tile.reduction[0].loops.truncate(1);
    tile.epilogue = vec![Step::Max(0.0.into())];
    insta::assert_snapshot!(assembled(&tile, Target::Clif128 { fma: true }), @"
    function u0:0(i64, i64, i64, i64, i64) system_v {
    block0(v0: i64, v1: i64, v2: i64, v3: i64, v4: i64):
        v62 -> v2
        v66 -> v2
        v5 = load.f32x4 notrap v3
        v6 = f32const 0.0
        v7 = splat.f32x4 v6  ; v6 = 0.0
        v8 = load.f32 notrap v3+16
        v9 = insertlane v7, v8, 0
        v10 = load.f32 notrap v3+20
        v11 = insertlane v9, v10, 1
        v12 = load.f32 notrap v3+24
        v13 = insertlane v11, v12, 2
        v14 = iconst.i32 3
        jump block1(v0, v1, v5, v13, v14)  ; v14 = 3

    block1(v15: i64, v18: i64, v20: f32x4, v30: f32x4, v49: i32):
        v16 = load.f32 notrap v15
        v17 = splat.f32x4 v16
        v19 = load.f32x4 notrap v18
        v21 = fma v17, v19, v20
        v22 = f32const 0.0
        v23 = splat.f32x4 v22  ; v22 = 0.0
        v24 = load.f32 notrap v18+16
        v25 = insertlane v23, v24, 0
        v26 = load.f32 notrap v18+20
        v27 = insertlane v25, v26, 1
        v28 = load.f32 notrap v18+24
        v29 = insertlane v27, v28, 2
        v31 = fma v17, v29, v30
        v32 = load.f32 notrap v15+4
        v33 = splat.f32x4 v32
        v34 = load.f32x4 notrap v18+32
        v35 = fma v33, v34, v21
        v54 -> v35
        v36 = f32const 0.0
        v37 = splat.f32x4 v36  ; v36 = 0.0
        v38 = load.f32 notrap v18+48
        v39 = insertlane v37, v38, 0
        v40 = load.f32 notrap v18+52
        v41 = insertlane v39, v40, 1
        v42 = load.f32 notrap v18+56
        v43 = insertlane v41, v42, 2
        v44 = fma v33, v43, v31
        v58 -> v44
        v45 = iconst.i64 64
        v46 = iadd v15, v45  ; v45 = 64
        v47 = iconst.i64 64
        v48 = iadd v18, v47  ; v47 = 64
        v50 = iconst.i32 -1
        v51 = iadd v49, v50  ; v50 = -1
        brif v51, block1(v46, v48, v35, v44, v51), block2

    block2:
        v52 = f32const 0.0
        v53 = splat.f32x4 v52  ; v52 = 0.0
        v55 = fcmp gt v53, v54
        v56 = bitcast.f32x4 little v55
        v57 = bitselect v56, v53, v54
        v59 = fcmp gt v53, v58
        v60 = bitcast.f32x4 little v59
        v61 = bitselect v60, v53, v58
        store notrap v57, v62
        v63 = extractlane v61, 0
        store notrap v63, v62+16
        v64 = extractlane v61, 1
        store notrap v64, v62+20
        v65 = extractlane v61, 2
        store notrap v65, v62+24
        return
    }
    ");
}

#[test]
fn depthwise_windows_load_each_input_once() {
    let tile = Tile {
        source: Source::Lanes,
        pixels: vec![
            Pixel {
                input: 0,
                output: 0,
            },
            Pixel {
                input: 64,
                output: 64,
            },
        ],
        columns: vec![Column::full(Lanes::Sixteen, 0)],
        init: Init::Zero,
        reduction: vec![Nest {
            input: 0,
            weights: 0,
            taps: taps(&[0, 64, 128], 64),
            loops: Vec::new(),
        }],
        epilogue: Vec::new(),
    };
    insta::assert_snapshot!(assembled(&tile, Target::Avx512), @"
     0  lea rdi, [rdi+2000h]
     7  vpxord zmm0, zmm0, zmm0
     d  vmovaps zmm1, zmm0
    13  vmovups zmm2, [rsi]
    1a  vmovups zmm3, [rsi+40h]
    21  vmovups zmm4, [rsi+80h]
    28  vmovups zmm5, [rdi-2000h]
    2f  vfmadd231ps zmm0, zmm2, zmm5
    35  vmovups zmm6, [rdi-1FC0h]
    3c  vfmadd231ps zmm1, zmm2, zmm6
    42  vfmadd231ps zmm0, zmm3, zmm6
    48  vmovups zmm7, [rdi-1F80h]
    4f  vfmadd231ps zmm1, zmm3, zmm7
    55  vfmadd231ps zmm0, zmm4, zmm7
    5b  vmovups zmm8, [rdi-1F40h]
    62  vfmadd231ps zmm1, zmm4, zmm8
    68  vmovups [rdx], zmm0
    6f  vmovups [rdx+40h], zmm1
    76  vzeroupper
    79  ret
    ");
}

#[test]
fn refusals() {
    let good = small(Lanes::Eight);
    let with = |change: &dyn Fn(&mut Tile)| {
        let mut tile = good.clone();
        change(&mut tile);
        assembled(&tile, Target::Avx2)
    };
    let texts = [
        with(&|tile| tile.pixels.clear()),
        with(&|tile| tile.columns[0].lanes = Lanes::Sixteen),
        with(&|tile| tile.columns[0].valid = 0),
        with(&|tile| {
            tile.source = Source::Lanes;
            tile.reduction[0].taps[0].clip.head = 1;
        }),
        with(&|tile| {
            let clips = (1..9).map(|head| Clip {
                head,
                tail: head % 3,
            });
            tile.reduction[0].taps = clips
                .map(|clip| Tap {
                    clip,
                    ..tile.reduction[0].taps[0]
                })
                .collect();
        }),
        with(&|tile| tile.columns[0].input = 4),
        with(&|tile| tile.pixels = vec![tile.pixels[0]; 7]),
        with(&|tile| tile.reduction[0].loops[1].trip = 0),
        with(&|tile| tile.reduction[0].loops = vec![tile.reduction[0].loops[0]; 4]),
        with(&|tile| tile.pixels[0].output = i32::MAX),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    a tile needs at least one pixel and one column, found 0 x 2
    column 0 has 16 lanes, avx2 has at most 8
    column 0 has 0 valid lanes, expected 1 to 8
    a tap is clipped, which only a tile with source `broadcast` may have
    the tile needs 10 masks, avx2 has 8
    column 0 has an input offset, which only a tile whose source is lane by lane may have
    the tile needs 17 vector registers (7 x 2 accumulators), avx2 has 16
    loop 1 of nest 0 has trip count 0, expected 1 to 2147483647
    nest 0 has 4 loops, at most 3 are supported
    an offset of 2147483679 bytes does not fit the 32-bit displacement of an instruction
    ");
}
