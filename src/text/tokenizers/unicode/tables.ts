/**
 * Sets of code points as the Rust tokenizers see them: their libraries hold several versions of Unicode, the runtime another one.
 * Written as `gap[.extra]` in base 36: code points skipped since the last range, then those that follow the first of this range.
 */

/** General category Mn (Unicode 8). */
export const NONSPACING_MARKS =
  'lc.33 7n.4 7d.18 1 1.1 1.1 1 20.a 1c.k g 2t.6 2.5 2.1 1.3 z u.q 2j.a 1m.8 y.3 1.8 1.2 1.4 17.2 3r.v 1j 1 4.7 4 ' +
  '3.6 a.1 t 1m 4.3 8 k.1 t.1 1l 4.1 4.1 2.2 3 u.1 3 b.1 1l 4.4 1.1 4 k.1 t 1m 2 1.3 8 8 b.1 u 1p c 1e 1p.2 5.2 ' +
  '1.3 7.1 b.1 t 1m 2 6 5.1 k.1 t 1r.3 8 k.1 2u 7.2 1 2i 2.6 c.7 2q 2.5 1.1 b.5 22.1 r 1 1 1j.d 1.4 1.1 5.a 1.z 9 ' +
  '2u.3 1.5 1.1 2.1 p.1 4.2 g.3 d 2.1 6 f jj.2 qa.2 t.2 t.1 u.1 1s.1 1.6 8 2.a 9 19.2 4b 3a.2 4.1 9 6.2 63.1 2 1m ' +
  '1.6 1 1 2.7 6.9 2 1c.d 1u.3 1c 1.4 1 5 14.8 c.1 w.3 2.1 1.2 1k 1.1 3 1.2 1m.7 2.1 48.2 1.c 1.6 4 6 3.1 5i.1h ' +
  '6.3 k0.c 4 3.b 2da.2 3x 2o.v fe.3 2z.1 n9w 4.9 w.1 28.1 7k 3 4 p.1 4d r.h 1g.7 p.a 1a.2 1c 2.3 2 14 1v.5 2.1 ' +
  '2.1 c 8 1b 1f 1.2 2.1 5.1 1 16.1 8 6m 2 4 fn4 kh.f g.f r1 6a 45.4 1ae.2 1.1 5.3 14.2 4 4l.1 10a 1i.e 1k.2 1d.3 ' +
  '2.1 1x.2 10.4 1.7 1q c.1 1g.8 b.2 2q.2 2 1.1 4n 3.7 l.1 1m 3 11.6 3.4 8u.5 1 4.1 1.1 6m.3 6.1 1.1 r.1 2d.7 2 ' +
  '1.1 2y 1 2.5 1 2t.2 2.3 1.4 gjo.4 1n.6 uw.3 f7u.1 43s.2 h.7 2.6 u.3 44.2 1iz.1i 4.1d 8 e m.4 1.e 2sg.6 gzl5.6n'

/** General category M (Unicode 12). */
export const COMBINING_MARKS =
  'lc.33 7n.6 7b.18 1 1.1 1.1 1 20.a 1c.k g 2t.6 2.5 2.1 1.3 z u.q 2j.a 1m.8 y.3 1.8 1.2 1.4 17.2 3c.d 1.w 1i.2 ' +
  '1.h 1.6 a.1 t.2 1k 1.6 2.1 2.2 9 a.1 t.2 1k 1.4 4.1 2.2 3 u.1 3 b.2 1k 1.7 1.2 1.2 k.1 t.2 1k 1.6 2.1 2.2 8.1 ' +
  'a.1 u 1n.4 3.2 1.3 9 14.3 1m.6 1.2 1.3 7.1 b.1 t.2 1k 1.6 1.2 1.3 7.1 b.1 t.2 1m.6 1.2 1.3 9 a.1 u.1 1y 4.5 1 ' +
  '1.7 i.1 1p 2.6 c.7 2q 2.5 1.1 b.5 22.1 r 1 1 4.1 1d.j 1.1 5.a 1.z 9 2s.j n.3 4.2 1.2 2.6 3.3 d.b 1 a.3 jj.2 ' +
  'qa.2 t.2 t.1 u.1 1s.v 9 19.2 3b.1 y 3a.b 4.b 63.4 1l.9 1.s 2 1c.e 1t.4 1b.g 12.8 c.2 u.c 1k.d 1c.j 48.2 1.k 4 ' +
  '4.2 3.1 5i.1h 5.4 k0.w 2da.2 3x 2o.v fe.5 2x.1 n9w.3 1.9 w.1 28.1 7k 3 4 n.4 2g.1 1e.h q.h 1g.7 p.c 18.3 1b.d ' +
  '10 1v.d c 8.1 19.2 1e 1.2 2.1 5.1 1 15.4 5.1 6k.7 1.1 fn4 kh.f g.f r1 6a 45.4 1ae.2 1.1 5.3 14.2 4 4l.1 109.2 ' +
  '1h.e 1k.3 19.a 1x.2 10.d 1q c.2 1c.d 9.2 2n.b 6 4g.b l.3 1k 1.6 2.1 2.2 9 a.1 2.6 3.4 5c.h 2x.j 6j.6 2.8 r.1 ' +
  '2a.g 2y.c 2t.e zn.7 1.7 2a.l 1.d fg9.4 1n.6 t6.19 g.3 f7u.1 43q.4 3.5 8.7 2.6 u.3 44.2 1iz.1i 4.1d 8 e m.4 1.e ' +
  '11s.6 1.g 2.6 1.1 1.4 1ph.6 31.6 gzhx.6n'

/** General category P (Unicode 8) and the punctuation of ASCII. */
export const PUNCTUATION =
  'x.e a.6 q.5 q.3 y 5 3 a.1 3 3 ji 8 cy.5 15.1 1f 1 2 2 18.1 k.1 1.1 d 2.1 22.3 2u 17.d 6h.2 1i.e v 79.1 a an lf ' +
  '2i a.1 4o.e 1 11.3 1z 22.4 4.1 33.5 4r h0.8 47 h8.1 18.1 26.2 1z.1 4d.2 1.2 11.a 8p.1 60.1 3k.6 1.5 4s.6 4b.3 ' +
  '1n.4 1q.1 1s.7 b n0.n 8.j 1.c 1.b u.1 e.1 hl.3 t.1 u5.d 27.1 v.9 b7.l 1r.3 w.1 l7.3 1.1 34 3z.1a 1.i ce.2 4.9 ' +
  '2.b g c 2q 2i mwy.1 7h.2 2r a 37.5 ak.3 2e.1 14.2 1 1d.1 1b 2p.c g.1 3g.3 3i.1 g.1 6x g2a.1 5s.9 m.y 1.d 1 4 ' +
  '1.1 45.2 1.5 1.3 a.1 3.1 q.2 1 r 1 1.6 be.2 ik 1c bi kn 5j v 7k.8 12 34.6 1u.6 2h.3 x6.6 31.1 1.3 3i.3 1c.1 ' +
  '27.4 3 d 1.2 2g.5 2z f0 6y.m 2x.2 6w.2 2lt.4 dtl.1 3p 1t.4 8 g2i 5wn.4'

/** What cleaning for BERT removes: Cc, Cf and Co without tab and line ends (Unicode 8), U+0000 and U+FFFD. */
export const CLEANED =
  '0.8 2.1 1.h 2n.w d 11u.5 m 5c 1d 3cu 1ks.4 q.4 1d.4 1.9 11u8.4xr 16n 6x.2 1 3b3 xya.3 43z.7 h406 u.2n ' +
  '1egw.1ekd 2.1ekd'

/** Assigned since Unicode 17: no letters, marks or numbers to patterns of Unicode 16. */
export const UNICODE_17 =
  '1ov r0 3j 2r6.e 2.b 15h 250 ojb.1 2 1 s gk1.f cd.1 1i.6 29d.p 12j.2 8.8 x.1 2g4.7 g8.17 4.9 fxy.o 2.o 7y.4 ' +
  '4qp.7 zt.l 2p.36 cg7.2 cd.m f.g 4pb.u 1.l 8.1 34o 4e.3 9h.8 aj.3 1e 3 1l 4 s 4 7e 10zj.5 4ma.b gsi.3bd'

/** What normalization forms of Unicode 12 leave as it is and do not reorder, though later versions do. */
export const NORMALIZATION_INERT =
  '1kt 49.8 16.9 8a fx 72.1 al 1ne q1.u 2.b lm.4 45g n3l.3 1j n0 hun q bg.4 1.15 1.8 12h.3 1t.4 8t.1 25.1 1.2 ' +
  '1y.a 1d.3 6i ju 1z 1 8 2 1f 1.1 5.2 3x re.1 71 4.1 4 4c 2b i 29 iw 1.1 29 bt.1 d0e.7 6 2ew.2 hx.1 ick.z 3sm.1p ' +
  'x 4g.6 af 1p.3 e4.3 72.1 6r 2 7.1 5 22e 22r.9'

/** Canonical combining classes (Unicode 12) of what has one, as `gap.extra.class`. */
export const COMBINING_CLASSES =
  'lc.k.6e 0.0.6g 0.3.64 0.0.6g 0.0.60 0.4.64 0.1.5m 0.3.64 0.1.5m 0.a.64 0.4.1 0.3.64 0.7.6e 0.0.6o 0.0.6e ' +
  '0.2.64 0.2.6e 0.1.64 1.2.6e 0.3.64 0.0.6e 0.0.6g 0.1.64 0.0.6e 0.0.6h 0.1.6i 0.0.6h 0.1.6i 0.0.6h 0.c.6e ' +
  '7n.4.6e 7d.0.64 0.3.6e 0.0.64 0.2.6e 0.0.66 0.0.64 0.5.6e 0.5.64 0.1.6e 0.0.64 0.1.6e 0.0.66 0.0.6c 0.0.6e ' +
  '0.0.a 0.0.b 0.0.c 0.0.d 0.0.e 0.0.f 0.0.g 0.0.h 0.0.i 0.1.j 0.0.k 0.0.l 0.0.m 1.0.n 1.0.o 0.0.p 1.0.6e 0.0.64 ' +
  '1.0.i 20.7.6e 0.0.u 0.0.v 0.0.w 1c.0.r 0.0.s 0.0.t 0.0.u 0.0.v 0.0.w 0.0.x 0.0.y 0.1.6e 0.1.64 0.4.6e 0.0.64 ' +
  '0.1.6e 0.0.64 g.0.z 2t.6.6e 2.3.6e 0.0.64 0.0.6e 2.1.6e 1.0.64 0.1.6e 0.0.64 z.0.10 u.0.6e 0.0.64 0.1.6e ' +
  '0.0.64 0.1.6e 0.2.64 0.0.6e 0.1.64 0.0.6e 0.0.64 0.2.6e 0.0.64 0.0.6e 0.0.64 0.0.6e 0.0.64 0.0.6e 0.0.64 ' +
  '0.1.6e 4g.6.6e 0.0.64 0.0.6e y.3.6e 1.8.6e 1.2.6e 1.4.6e 17.2.64 3c.d.6e 1.0.64 0.1.6e 0.0.64 0.1.6e 0.0.64 ' +
  '0.2.6e 0.2.64 0.0.r 0.0.s 0.0.t 0.2.6e 0.0.64 0.1.6e 0.1.64 0.4.6e 1o.0.7 g.0.9 3.0.6e 0.0.64 0.1.6e 2v.0.7 ' +
  'g.0.9 32.0.7 g.0.9 32.0.7 g.0.9 32.0.7 g.0.9 3j.0.9 3j.0.9 7.0.2c 0.0.2j 2t.0.7 g.0.9 3j.0.9 3g.0.9 31.1.2v ' +
  '0.0.9 d.3.2z 30.1.3a e.3.3e 24.1.64 r.0.64 1.0.64 1.0.60 1j.0.3l 0.0.3m 1.0.3o 5.3.3m 2.0.3m 1.1.6e 0.0.9 ' +
  '1.1.6e 1q.0.64 34.0.7 1.1.9 2a.0.64 jz.2.6e qc.0.9 v.0.9 4d.0.9 a.0.6e 5n.0.6c 3z.0.66 0.0.6e 0.0.64 63.0.6e ' +
  '0.0.64 1z.0.9 k.7.6e 2.0.64 1c.4.6e 0.5.64 0.1.6e 0.0.64 3a.0.7 f.0.9 12.0.6e 0.0.64 0.6.6e 1i.1.9 1m.0.7 ' +
  'b.1.9 1v.0.7 48.2.6e 1.0.1 0.4.64 0.1.6e 0.3.64 0.0.6e 1.6.1 4.0.64 6.0.6e 3.1.6e 5i.1.6e 0.0.64 0.6.6e 0.0.64 ' +
  '0.1.6e 0.0.6i 0.0.5y 0.0.64 0.0.5m 0.10.6e 5.0.6e 0.0.6h 0.0.64 0.0.6e 0.0.64 k0.1.6e 0.1.1 0.3.6e 0.2.1 ' +
  '0.1.6e 4.0.6e 3.1.1 0.0.6e 0.0.64 0.0.6e 0.1.1 0.3.64 0.0.6e 2da.2.6e 3x.0.9 2o.v.6e fe.0.62 0.0.6c 0.0.6g ' +
  '0.0.66 0.1.68 2x.1.8 n9w.0.6e 4.9.6e w.1.6e 28.1.6e 7o.0.9 59.0.9 r.h.6e 1l.2.64 11.0.9 2n.0.7 c.0.9 6n.0.6e ' +
  '1.1.6e 0.0.64 2.1.6e 5.1.6e 1.0.6e 1g.0.9 6u.0.9 fn4.0.q ld.6.6e 0.6.64 0.1.6e r1.0.64 6a.0.64 45.4.6e ' +
  '1aq.0.64 1.0.6e 14.0.6e 0.0.1 0.0.64 4.0.9 4l.0.6e 0.0.64 127.0.9 1k.0.9 1l.0.9 0.0.7 1x.2.6e 1c.1.9 1q.0.7 ' +
  '24.0.9 9.0.7 2y.0.9 0.0.7 4y.0.7 0.0.9 29.0.7 g.0.9 o.6.6e 3.4.6e 5p.0.9 3.0.7 3f.0.9 0.0.7 6z.0.9 0.0.7 ' +
  '3i.0.9 3a.0.9 0.0.7 37.0.9 103.0.9 fjk.4.1 1n.6.6e g2v.0.1 43q.1.60 0.2.1 3.0.6a 0.4.60 8.7.64 2.4.6e 0.1.64 ' +
  'u.3.6e 44.2.6e 2pn.6.6e 1.g.6e 2.6.6e 1.1.6e 1.4.6e 1ph.6.64 31.5.6e 0.0.7'
