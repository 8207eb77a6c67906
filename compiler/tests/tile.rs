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
     41  prefetcht0 [rsi+1000h]
     48  vmovups zmm5{k1}{z}, [rsi+40h]
     4f  prefetcht0 [rsi+1040h]
     56  vbroadcastss zmm6, [rdi-200h]
     5d  vfmadd231ps zmm0, zmm6, zmm4
     63  vfmadd231ps zmm1, zmm6, zmm5
     69  vbroadcastss zmm7, [rdi-1C0h]
     70  vfmadd231ps zmm2, zmm7, zmm4
     76  vfmadd231ps zmm3, zmm7, zmm5
     7c  vmovups zmm4, [rsi+80h]
     83  prefetcht0 [rsi+1080h]
     8a  vmovups zmm5{k1}{z}, [rsi+0C0h]
     91  prefetcht0 [rsi+10C0h]
     98  vbroadcastss zmm6, [rdi-1FCh]
     9f  vfmadd231ps zmm0, zmm6, zmm4
     a5  vfmadd231ps zmm1, zmm6, zmm5
     ab  vbroadcastss zmm7, [rdi-1BCh]
     b2  vfmadd231ps zmm2, zmm7, zmm4
     b8  vfmadd231ps zmm3, zmm7, zmm5
     be  add rdi, 40h
     c2  add rsi, 100h
     c9  dec rbx
     cc  jne 000000000000003Ah
     d2  add rdi, 6C0h
     d9  dec rbp
     dc  jne 0000000000000033h
     e2  vaddps zmm0, zmm0, [r8]
     e9  vmovups zmm4{k1}{z}, [r8+40h]
     f0  vaddps zmm1, zmm1, zmm4
     f6  vaddps zmm2, zmm2, [r8+200h]
     fd  vmovups zmm4{k1}{z}, [r8+240h]
    104  vaddps zmm3, zmm3, zmm4
    10a  vpxord zmm4, zmm4, zmm4
    110  vmaxps zmm0, zmm4, zmm0
    116  vmaxps zmm1, zmm4, zmm1
    11c  vmaxps zmm2, zmm4, zmm2
    122  vmaxps zmm3, zmm4, zmm3
    128  mov eax, 40C00000h
    12d  vpbroadcastd zmm4, eax
    133  vminps zmm0, zmm4, zmm0
    139  vminps zmm1, zmm4, zmm1
    13f  vminps zmm2, zmm4, zmm2
    145  vminps zmm3, zmm4, zmm3
    14b  vmovups [rdx], zmm0
    152  vmovups [rdx+40h]{k1}, zmm1
    159  vmovups [rdx+200h], zmm2
    160  vmovups [rdx+240h]{k1}, zmm3
    167  pop rbp
    168  pop rbx
    169  vzeroupper
    16c  ret
    16d  add [rax], al
    16f  (bad)
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
     3c  prefetcht0 [rsi+1000h]
     43  vmaskmovps ymm5, ymm15, [rsi+20h]
     49  prefetcht0 [rsi+1020h]
     50  vbroadcastss ymm6, [rdi]
     56  vfmadd231ps ymm0, ymm6, ymm4
     5b  vfmadd231ps ymm1, ymm6, ymm5
     60  vbroadcastss ymm7, [rdi+40h]
     66  vfmadd231ps ymm2, ymm7, ymm4
     6b  vfmadd231ps ymm3, ymm7, ymm5
     70  vmovups ymm4, [rsi+40h]
     75  prefetcht0 [rsi+1040h]
     7c  vmaskmovps ymm5, ymm15, [rsi+60h]
     82  prefetcht0 [rsi+1060h]
     89  vbroadcastss ymm6, [rdi+4]
     8f  vfmadd231ps ymm0, ymm6, ymm4
     94  vfmadd231ps ymm1, ymm6, ymm5
     99  vbroadcastss ymm7, [rdi+44h]
     9f  vfmadd231ps ymm2, ymm7, ymm4
     a4  vfmadd231ps ymm3, ymm7, ymm5
     a9  add rdi, 40h
     ad  add rsi, 80h
     b4  dec rbx
     b7  jne 0000000000000037h
     bd  add rdi, 6C0h
     c4  dec rbp
     c7  jne 0000000000000030h
     cd  vaddps ymm0, ymm0, [r8]
     d3  vmaskmovps ymm4, ymm15, [r8+20h]
     d9  vaddps ymm1, ymm1, ymm4
     dd  vaddps ymm2, ymm2, [r8+200h]
     e6  vmaskmovps ymm4, ymm15, [r8+220h]
     ef  vaddps ymm3, ymm3, ymm4
     f3  vxorps ymm4, ymm4, ymm4
     f7  vmaxps ymm0, ymm4, ymm0
     fb  vmaxps ymm1, ymm4, ymm1
     ff  vmaxps ymm2, ymm4, ymm2
    103  vmaxps ymm3, ymm4, ymm3
    107  mov eax, 40C00000h
    10c  vmovd xmm4, eax
    110  vbroadcastss ymm4, xmm4
    115  vminps ymm0, ymm4, ymm0
    119  vminps ymm1, ymm4, ymm1
    11d  vminps ymm2, ymm4, ymm2
    121  vminps ymm3, ymm4, ymm3
    125  vmovups [rdx], ymm0
    12a  vmaskmovps [rdx+20h], ymm15, ymm1
    130  vmovups [rdx+200h], ymm2
    138  vmaskmovps [rdx+220h], ymm15, ymm3
    141  pop rbp
    142  pop rbx
    143  vzeroupper
    146  ret
    147  add [rax], al
    149  add [rax], al
    14b  add [rax], al
    14d  add [rax], al
    14f  add [rax], al
    151  add [rax], al
    153  add [rax], al
    155  add [rax], al
    157  add [rax], al
    159  add [rax], al
    15b  add [rax], al
    15d  add [rax], al
    15f  (bad)
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
    7a  add [rax], al
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
