(** The other two kinds of proof: a counterexample at a rational point, and breakpoints of an interval (one input). *)
From Coq Require Import Reals Lra List Lia ZArith Bool.
From CGRO Require Import Networks Bounds Soundness Balls.
Import ListNotations.

(** * the program: values times a common positive weight *)
Section Program.
Open Scope Z_scope.
Definition zaffine (l : zlayer) (w : Z) (h : list Z) : list Z := map (fun rb => zdot (fst rb) h + snd rb * w) (rows l).
Fixpoint zrun (ls : list zlayer) (w : Z) (h : list Z) : list (list Z) * (Z * list Z) := (* z of hidden layers; weight and values below the outputs *)
  match ls with
  | [] => ([], (w, h))
  | l :: ls' => let z := zaffine l w h in
      let (zs, r) := zrun ls' (shl w (scale l)) (map (Z.max 0) z) in (z :: zs, r)
  end.
(** outputs times a weight, at the point h / w *)
Definition zeval (hid : list zlayer) (out : zlayer) (w : Z) (h : list Z) : list (list Z) * (Z * list Z) :=
  let (zs, r) := zrun hid w h in (zs, (shl (fst r) (scale out), zaffine out (fst r) (snd r))).
Fixpoint inside (g w : Z) (box : bounds) (h : list Z) : bool :=
  match box, h with
  | lh :: b, v :: h' => (fst lh * w <=? shl v g) && (shl v g <=? snd lh * w) && inside g w b h'
  | [], [] => true
  | _, _ => false
  end.
Definition scales_fine (hid : list zlayer) (out : zlayer) : bool := forallb (fun l => 0 <=? scale l) (out :: hid).
Fixpoint zdist2 (g w : Z) (c h : list Z) : Z :=
  match c, h with a :: c', v :: h' => (shl v g - a * w) * (shl v g - a * w) + zdist2 g w c' h' | _, _ => 0 end.
Definition in_ball_at (g w : Z) (h : list Z) (ball : option (list Z * Z)) : bool :=
  match ball with None => true | Some (c, r) => zdist2 g w c h <=? r * r * (w * w) end.
(** some goal is at most p/q there *)
Definition check_refuted hid out g box ball (p q w : Z) (h : list Z) (goals : list (list Z)) : bool :=
  (0 <=? g) && (0 <? w) && scales_fine hid out && inside g w box h && in_ball_at g w h ball && (0 <? q) &&
  let y := snd (zeval hid out w h) in existsb (fun s => q * zdot s (snd y) <=? p * fst y) goals.

Fixpoint agree (z z' : list Z) : bool := (* no unit has opposite signs *)
  match z, z' with a :: y, b :: y' => (0 <=? a * b) && agree y y' | [], [] => true | _, _ => false end.
Fixpoint agrees (zs zs' : list (list Z)) : bool :=
  match zs, zs' with a :: y, b :: y' => agree a b && agrees y y' | [], [] => true | _, _ => false end.
Definition point_ok hid out p q goals (wh : Z * list Z) : bool := (* the goals hold there *)
  let '(_, (w, y)) := zeval hid out (fst wh) (snd wh) in forallb (fun s => p * w <=? q * zdot s y) goals.
Fixpoint chain hid out p q goals (a : Z * list Z) (points : list (Z * list Z)) : bool :=
  (0 <? fst a) && point_ok hid out p q goals a &&
  match points with
  | [] => true
  | b :: ps => agrees (fst (zeval hid out (fst a) (snd a))) (fst (zeval hid out (fst b) (snd b))) && chain hid out p q goals b ps
  end.
End Program.

Open Scope R_scope.
Definition point (w : Z) (h : list Z) : vec := map (fun v => IZR v / IZR w) h.
Definition weighted (w : Z) (h : list Z) (x : vec) := 0 < IZR w /\ zr h = vscale (IZR w) x.

Lemma zdot_R r : forall h, IZR (zdot r h) = dot (zr r) (zr h).
Proof. unfold zr. induction r as [|a r IH]; intros [|v h]; simpl; auto. rewrite plus_IZR, mult_IZR, IH. auto. Qed.
Lemma row_of l w h : dot (map (fun w => IZR w / P (scale l)) w) h = dot (zr w) h / P (scale l).
Proof. unfold zr, Rdiv. revert h. induction w; intros [|t h]; simpl; try lra. rewrite IHw. lra. Qed.
Lemma zaffine_R l w h x : (0 <= scale l)%Z -> weighted w h x -> weighted (shl w (scale l)) (zaffine l w h) (affine (layer_of l) x).
Proof.
  intros C [W E]. pose proof (P_pos _ C) as Q. split; [rewrite IZR_shl; now apply Rmult_lt_0_compat|].
  unfold zaffine, affine, layer_of, vscale, zr. rewrite !map_map. apply map_ext. intros [r b]; cbn [fst snd].
  rewrite plus_IZR, mult_IZR, zdot_R, E, dot_scale_r, row_of, IZR_shl. field. lra.
Qed.
Lemma zrelu_R w z x : weighted w z x -> weighted w (map (Z.max 0) z) (map relu x).
Proof.
  intros [W E]. split; auto. revert x E. unfold zr, vscale. induction z as [|a z IH]; intros [|t x] E; try discriminate; auto.
  cbn [map] in *. injection E as E1 E2. f_equal; [|now apply IH].
  rewrite <- relu_scale by lra. rewrite <- E1.
  destruct (Z.max_spec 0 a) as [[A ->]|[A ->]]; [apply IZR_lt in A; rewrite relu_pos; lra | apply IZR_le in A; rewrite relu_neg; lra].
Qed.
Fixpoint trace (ls : list layer) (x : vec) : list vec :=
  match ls with [] => [] | l :: ls' => affine l x :: trace ls' (step x l) end.
Lemma zrun_R ls : forall w h x, scales ls -> weighted w h x ->
  weighted (fst (snd (zrun ls w h))) (snd (snd (zrun ls w h))) (run (map layer_of ls) x) /\
  Forall2 (fun z y => exists v, weighted v z y) (fst (zrun ls w h)) (trace (map layer_of ls) x).
Proof.
  induction ls as [|l ls IH]; intros w h x C W; simpl; [auto|]. inversion C as [|? ? Cl Cs]; subst.
  pose proof (zaffine_R l w h x Cl W) as A. pose proof (zrelu_R _ _ _ A) as B. specialize (IH _ _ _ Cs B).
  destruct (zrun ls _ _) as [zs r]; simpl in *. destruct IH as [I J]. split; auto. constructor; eauto.
Qed.
Lemma zeval_R hid out w h x : scales (out :: hid) -> weighted w h x ->
  weighted (fst (snd (zeval hid out w h))) (snd (snd (zeval hid out w h))) (eval (net_of hid out) x) /\
  Forall2 (fun z y => exists v, weighted v z y) (fst (zeval hid out w h)) (trace (map layer_of hid) x).
Proof.
  intros C W. inversion C as [|? ? Co Ch]; subst. destruct (zrun_R hid w h x Ch W) as [A B].
  unfold zeval. destruct (zrun hid w h) as [zs [v y]]; simpl in *. split; auto. now apply zaffine_R.
Qed.
Lemma weighted_point w h : (0 < w)%Z -> weighted w h (point w h).
Proof.
  intros W. apply IZR_lt in W. split; auto. unfold zr, vscale, point. rewrite map_map. apply map_ext. intros. field. lra.
Qed.
Lemma scales_fine_R hid out : scales_fine hid out = true -> scales (out :: hid).
Proof. unfold scales_fine, scales. rewrite forallb_forall. intros H. apply Forall_forall. intros l I. now apply Z.leb_le, H. Qed.
Lemma goal_R w y x s : weighted w y x -> IZR (zdot s y) = IZR w * dot (zr s) x.
Proof. intros [_ E]. now rewrite zdot_R, E, dot_scale_r. Qed.

(** * counterexamples *)
Definition in_set (g : Z) (box : bounds) (ball : option (list Z * Z)) (x : vec) :=
  in_box g box x /\ match ball with None => True | Some (c, r) => in_l2_ball g c r x end.
Theorem check_refuted_sound hid out g box ball p q w h goals : check_refuted hid out g box ball p q w h goals = true ->
  exists x s, in_set g box ball x /\ In s goals /\ dot (zr s) (eval (net_of hid out) x) <= IZR p / IZR q.
Proof.
  unfold check_refuted. intros H. apply andb_prop in H as [H H6]. apply andb_prop in H as [H Q]. apply Z.ltb_lt, IZR_lt in Q. apply andb_prop in H as [H H5]. apply andb_prop in H as [H H4].
  apply andb_prop in H as [H H3]. apply andb_prop in H as [H1 H2]. apply Z.leb_le in H1. apply Z.ltb_lt in H2.
  apply existsb_exists in H6 as [s [I H6]]. apply Z.leb_le in H6. apply IZR_le in H6. rewrite !mult_IZR in H6.
  exists (point w h), s. pose proof (weighted_point w h H2) as W. pose proof (P_pos g H1) as G. apply IZR_lt in H2.
  split; [split|split; auto].
  - clear -H4 H2 G. unfold in_box. revert h H4. induction box as [|lh b IH]; intros [|v h] H; simpl in H; try discriminate; [constructor|].
    apply andb_prop in H as [H H']. apply andb_prop in H as [A B]. apply Z.leb_le in A, B. apply IZR_le in A, B.
    rewrite mult_IZR, IZR_shl in A, B. constructor; [|now apply IH]. unfold inb.
    assert (K : IZR v / IZR w * P g * IZR w = IZR v * P g) by (field; lra). split; apply Rmult_le_reg_r with (IZR w); lra.
  - destruct ball as [[c r]|]; auto. simpl in H5. apply Z.leb_le in H5. apply IZR_le in H5. unfold in_l2_ball.
    assert (K : IZR (zdist2 g w c h) = dist2 c (vscale (P g) (point w h)) * (IZR w * IZR w)).
    { clear -H2. revert h. induction c as [|a c IH]; intros [|v h]; simpl; try lra.
      rewrite plus_IZR, mult_IZR, minus_IZR, IZR_shl, mult_IZR, IH. unfold vscale, point. simpl. field. lra. }
    rewrite K in H5. rewrite !mult_IZR in *. apply Rmult_le_reg_r with (IZR w * IZR w); [nra | lra].
  - destruct (zeval_R hid out w h _ (scales_fine_R _ _ H3) W) as [A _]. rewrite (goal_R _ _ _ _ A) in H6. destruct A as [A _].
    set (v := IZR (fst _)) in *. set (t := dot _ _) in *. apply Rmult_le_reg_r with (IZR q * v); [nra|].
    replace (IZR p / IZR q * (IZR q * v)) with (IZR p * v) by (field; lra). nra.
Qed.

(** * segments on which no unit changes its sign: the network is affine there, in any dimension *)
Definition mix (t : R) (x y : vec) : vec := vadd (vscale (1 - t) x) (vscale t y).
Lemma mix_cons t a b x y : mix t (a :: x) (b :: y) = ((1 - t) * a + t * b) :: mix t x y.
Proof. reflexivity. Qed.
Lemma dot_mix t r x y : dot r (mix t x y) = (1 - t) * dot r x + t * dot r y.
Proof.
  unfold mix. rewrite <- !dot_scale_r. generalize (vscale (1 - t) x) (vscale t y). clear. intros x. revert r.
  induction x as [|a x IH]; intros [|c r] [|b y]; simpl; try lra. rewrite IH. lra.
Qed.
Lemma affine_mix t l x y : affine l (mix t x y) = mix t (affine l x) (affine l y).
Proof.
  induction l as [|[r b] l IH]; [reflexivity|]. cbn [affine map fst snd]. fold (affine l). rewrite mix_cons, dot_mix. f_equal; [lra | exact IH].
Qed.
Definition same_sign (a b : R) := 0 <= a * b.
Lemma relu_mix t z z' : 0 <= t <= 1 -> Forall2 same_sign z z' -> map relu (mix t z z') = mix t (map relu z) (map relu z').
Proof.
  intros T. induction 1 as [|a b z z' S _ IH]; [reflexivity|]. cbn [map]. rewrite !mix_cons. cbn [map]. rewrite IH. f_equal.
  unfold same_sign in S. destruct (relu_cases a) as [[A ->]|[A ->]], (relu_cases b) as [[B ->]|[B ->]].
  - apply relu_pos. nra.
  - destruct (Req_EM_T a 0) as [->|N]; [rewrite relu_neg; nra|]. assert (b = 0) by nra. subst. rewrite relu_pos; nra.
  - destruct (Req_EM_T b 0) as [->|N]; [rewrite relu_neg; nra|]. assert (a = 0) by nra. subst. rewrite relu_pos; nra.
  - rewrite relu_neg; nra.
Qed.
Lemma run_mix t ls : 0 <= t <= 1 -> forall x y, Forall2 (Forall2 same_sign) (trace ls x) (trace ls y) ->
  run ls (mix t x y) = mix t (run ls x) (run ls y).
Proof.
  intros T. induction ls as [|l ls IH]; intros x y H; [reflexivity|]. inversion H as [|? ? ? ? S H']; subst.
  change (run ls (step (mix t x y) l) = mix t (run ls (step x l)) (run ls (step y l))).
  rewrite <- IH by auto. f_equal. unfold step. rewrite affine_mix. now apply relu_mix.
Qed.
Theorem eval_mix t f x y : 0 <= t <= 1 -> Forall2 (Forall2 same_sign) (trace (hidden f) x) (trace (hidden f) y) ->
  eval f (mix t x y) = mix t (eval f x) (eval f y).
Proof. intros T H. unfold eval. rewrite run_mix by auto. apply affine_mix. Qed.

Lemma agree_R z : forall z' x y v w, agree z z' = true -> weighted v z x -> weighted w z' y -> Forall2 same_sign x y.
Proof.
  induction z as [|a z IH]; intros [|b z'] [|s x] [|t y] v w H [V E] [W F]; try discriminate; [constructor|].
  simpl in H. apply andb_prop in H as [A H]. apply Z.leb_le in A. apply IZR_le in A. rewrite mult_IZR in A.
  unfold zr, vscale in E, F. simpl in E, F. injection E as E1 E2. injection F as F1 F2. constructor.
  - unfold same_sign. rewrite E1, F1 in A. assert (0 < IZR v * IZR w) by nra. nra.
  - apply (IH z' x y v w); auto; split; auto.
Qed.
Lemma agrees_R zs : forall zs' xs ys, agrees zs zs' = true ->
  Forall2 (fun z y => exists v, weighted v z y) zs xs -> Forall2 (fun z y => exists v, weighted v z y) zs' ys -> Forall2 (Forall2 same_sign) xs ys.
Proof.
  induction zs as [|z zs IH]; intros [|z' zs'] xs ys H A B; try discriminate; inversion A; inversion B; subst; constructor.
  - simpl in H. apply andb_prop in H as [H _]. destruct H2 as [v V], H7 as [w W]. eapply agree_R; eauto.
  - simpl in H. apply andb_prop in H as [_ H]. eapply IH; eauto.
Qed.

(** * the broken line through the points *)
Fixpoint on_chain (a : vec) (ps : list vec) (x : vec) : Prop :=
  match ps with [] => x = a | b :: ps' => (exists t, 0 <= t <= 1 /\ x = mix t a b) \/ on_chain b ps' x end.
Lemma point_ok_R hid out p q goals w h s : (0 < q)%Z -> (0 < w)%Z -> scales (out :: hid) -> point_ok hid out p q goals (w, h) = true -> In s goals ->
  IZR p / IZR q <= dot (zr s) (eval (net_of hid out) (point w h)).
Proof.
  intros Q W C H I. destruct (zeval_R hid out w h _ C (weighted_point w h W)) as [A _]. unfold point_ok in H; cbn [fst snd] in H.
  destruct (zeval hid out w h) as [zs [v y]]; simpl in A. rewrite forallb_forall in H. specialize (H s I).
  apply Z.leb_le in H. apply IZR_le in H. rewrite !mult_IZR, (goal_R _ _ _ _ A) in H. destruct A as [V _]. apply IZR_lt in Q.
  apply Rmult_le_reg_l with (IZR q); auto. replace (IZR q * (IZR p / IZR q)) with (IZR p) by (field; lra).
  apply Rmult_le_reg_r with (IZR v); auto. lra.
Qed.
Theorem chain_sound hid out p q goals : (0 < q)%Z -> scales_fine hid out = true -> forall points a,
  chain hid out p q goals a points = true ->
  forall x, on_chain (point (fst a) (snd a)) (map (fun b => point (fst b) (snd b)) points) x ->
  forall s, In s goals -> IZR p / IZR q <= dot (zr s) (eval (net_of hid out) x).
Proof.
  intros Q C. apply scales_fine_R in C. induction points as [|b ps IH]; intros [w h] H x X s I; simpl in H, X.
  - apply andb_prop in H as [H _]. apply andb_prop in H as [W H]. apply Z.ltb_lt in W. subst. eapply point_ok_R; eauto.
  - apply andb_prop in H as [H H']. apply andb_prop in H' as [S H']. apply andb_prop in H as [W H]. apply Z.ltb_lt in W.
    destruct X as [[t [T ->]]|X]; [|eapply IH; eauto].
    destruct b as [w' h']. cbn [fst snd] in *.
    assert (W' : (0 < w')%Z /\ point_ok hid out p q goals (w', h') = true).
    { destruct ps; simpl in H'; apply andb_prop in H' as [H' _]; apply andb_prop in H' as [A B]; split; auto; now apply Z.ltb_lt. }
    destruct W' as [W' H2].
    pose proof (proj2 (zeval_R hid out w h _ C (weighted_point w h W))) as A.
    pose proof (proj2 (zeval_R hid out w' h' _ C (weighted_point w' h' W'))) as B.
    rewrite eval_mix by (auto; eapply agrees_R; eauto). rewrite dot_mix.
    pose proof (point_ok_R hid out p q goals w h s Q W C H I). pose proof (point_ok_R hid out p q goals w' h' s Q W' C H2 I). nra.
Qed.

(** * one input: sorted points from one end of the interval to the other *)
Fixpoint sorted_from (a : Z * Z) (ps : list (Z * Z)) : bool := (* (weight, numerator) *)
  match ps with [] => true | b :: ps' => (snd a * fst b <=? snd b * fst a)%Z && sorted_from b ps' end.
Definition last_point (a : Z * Z) (ps : list (Z * Z)) : Z * Z := last ps a.
Definition as_point (wn : Z * Z) : Z * list Z := (fst wn, [snd wn]).
Definition check_points hid out g (lo hi p q : Z) goals (a : Z * Z) (ps : list (Z * Z)) : bool :=
  ((0 <=? g) && (0 <? q))%Z && scales_fine hid out && sorted_from a ps &&
  (shl (snd a) g <=? lo * fst a)%Z && (hi * fst (last_point a ps) <=? shl (snd (last_point a ps)) g)%Z &&
  chain hid out p q goals (as_point a) (map as_point ps).

Definition value (wn : Z * Z) : R := IZR (snd wn) / IZR (fst wn).
Lemma last_cons (ps : list (Z * Z)) : forall a b, last (b :: ps) a = last ps b.
Proof.
  induction ps as [|c ps IH]; intros a b; [reflexivity|]. change (last (c :: ps) a = last (c :: ps) b). now rewrite !IH.
Qed.
Lemma spanned ps : forall a x, Forall (fun b => 0 < IZR (fst b)) (a :: ps) -> sorted_from a ps = true ->
  value a <= x <= value (last_point a ps) -> on_chain [value a] (map (fun b => [value b]) ps) [x].
Proof.
  induction ps as [|b ps IH]; intros a x F S X; cbn [sorted_from on_chain map] in *.
  - simpl. f_equal. unfold last_point in X; simpl in X. lra.
  - apply andb_prop in S as [S1 S2]. apply Z.leb_le, IZR_le in S1. rewrite !mult_IZR in S1.
    inversion F as [|? ? Fa Fb]; subst. inversion Fb as [|? ? Fb1 _]; subst.
    assert (V : value a <= value b).
    { unfold value. apply Rmult_le_reg_r with (IZR (fst a) * IZR (fst b)); [nra|].
      replace (IZR (snd a) / IZR (fst a) * (IZR (fst a) * IZR (fst b))) with (IZR (snd a) * IZR (fst b)) by (field; lra).
      replace (IZR (snd b) / IZR (fst b) * (IZR (fst a) * IZR (fst b))) with (IZR (snd b) * IZR (fst a)) by (field; lra). lra. }
    assert (E : last_point a (b :: ps) = last_point b ps).
    { apply last_cons. }
    rewrite E in X. cbn [fst snd] in *. destruct (Rle_dec x (value b)) as [L|L]; [left | right; apply IH; auto; lra].
    destruct (Req_EM_T (value a) (value b)) as [Q|Q].
    + exists 0. split; [lra|]. unfold mix; simpl. f_equal. lra.
    + exists ((x - value a) / (value b - value a)). assert (0 < value b - value a) by lra. split.
      * split; [apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra]|].
        apply Rmult_le_reg_r with (value b - value a); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
      * unfold mix; simpl. f_equal. field. lra.
Qed.
Lemma chain_weights hid out p q goals ps : forall a, chain hid out p q goals a ps = true -> Forall (fun b : Z * list Z => 0 < IZR (fst b)) (a :: ps).
Proof.
  induction ps as [|b ps IH]; intros a H; simpl in H; apply andb_prop in H as [H H']; apply andb_prop in H as [W _];
    apply Z.ltb_lt, IZR_lt in W; constructor; auto. apply IH. now apply andb_prop in H' as [_ H'].
Qed.
Theorem check_points_sound hid out g lo hi p q goals a ps : check_points hid out g lo hi p q goals a ps = true ->
  forall x, in_box g [(lo, hi)] x -> forall s, In s goals -> IZR p / IZR q <= dot (zr s) (eval (net_of hid out) x).
Proof.
  unfold check_points. intros H x X s I. apply andb_prop in H as [H H6]. apply andb_prop in H as [H H5]. apply andb_prop in H as [H H4].
  apply andb_prop in H as [H H3]. apply andb_prop in H as [H1 H2]. apply andb_prop in H1 as [G Q]. apply Z.leb_le in G. apply Z.ltb_lt in Q.
  inversion X as [|? v ? ? V N]; subst. inversion N; subst. pose proof (chain_weights _ _ _ _ _ _ _ H6) as F.
  assert (F' : Forall (fun b => 0 < IZR (fst b)) (a :: ps)).
  { change (as_point a :: map as_point ps) with (map as_point (a :: ps)) in F. rewrite Forall_map in F. exact F. }
  eapply (chain_sound hid out p q goals Q H2 _ _ H6); eauto.
  rewrite map_map. change (point (fst (as_point a)) (snd (as_point a))) with [value a].
  change (fun b => point (fst (as_point b)) (snd (as_point b))) with (fun b => [value b]).
  apply spanned; auto. unfold inb in V; simpl in V. pose proof (P_pos g G) as PG.
  apply Z.leb_le, IZR_le in H4, H5. rewrite mult_IZR, IZR_shl in H4, H5.
  inversion F' as [|? ? Fa _]; subst.
  assert (Fl : 0 < IZR (fst (last_point a ps))).
  { clear -F'. unfold last_point. rewrite Forall_forall in F'. apply F'. destruct (exists_last (l := a :: ps) ltac:(discriminate)) as [l' [z E]].
    assert (L : last ps a = last (a :: ps) a) by (destruct ps; reflexivity).
    rewrite L, E, last_last. apply in_or_app. right; left; auto. }
  unfold value. split; apply Rmult_le_reg_r with (P g); auto.
  - apply Rmult_le_reg_r with (IZR (fst a)); auto. replace (IZR (snd a) / IZR (fst a) * P g * IZR (fst a)) with (IZR (snd a) * P g) by (field; lra). nra.
  - set (z := last_point a ps) in *. apply Rmult_le_reg_r with (IZR (fst z)); auto.
    replace (IZR (snd z) / IZR (fst z) * P g * IZR (fst z)) with (IZR (snd z) * P g) by (field; lra). nra.
Qed.
