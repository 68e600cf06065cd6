(** Squaring: the network [squaring m] and its error, for every m. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks.
Import ListNotations.
Open Scope R_scope.

(** * the functions *)
Definition g (x : R) : R := 2 * relu x - 4 * relu (x - 1 / 2).
Fixpoint saw (s : nat) (x : R) : R := match s with O => x | S k => g (saw k x) end.
Fixpoint sq (m : nat) (x : R) : R := match m with O => x | S k => sq k x - saw (S k) x / 4 ^ S k end.

Lemma g_range x : 0 <= x <= 1 -> 0 <= g x <= 1.
Proof. intros; unfold g; relus; lra. Qed.
Lemma saw_range s x : 0 <= x <= 1 -> 0 <= saw s x <= 1.
Proof. intros; induction s; simpl; auto. now apply g_range. Qed.
Lemma saw_in s x : saw (S s) x = saw s (g x).
Proof. induction s; auto. simpl in *; now rewrite IHs. Qed.
Lemma pow4 m : 0 < 4 ^ m.
Proof. apply pow_lt; lra. Qed.
Lemma sq_in m x : sq (S m) x = x - g x / 2 + sq m (g x) / 4.
Proof.
  induction m.
  - simpl. lra.
  - cbn [sq] in *. rewrite IHm, (saw_in (S m)).
    pose proof (pow4 m). simpl. field. apply Rgt_not_eq; lra.
Qed.
(** The key: x - x^2 = g/2 - g^2/4, so the error of level m + 1 is a quarter of level m's at g(x). *)
Lemma sq_error_in m x : 0 <= x <= 1 -> sq (S m) x - x ^ 2 = (sq m (g x) - g x ^ 2) / 4.
Proof.
  intros H. rewrite sq_in. assert (x - x ^ 2 = g x / 2 - g x ^ 2 / 4); [|lra].
  unfold g; relus; nra.
Qed.
Theorem sq_error m : forall x, 0 <= x <= 1 -> 0 <= sq m x - x ^ 2 <= / 4 ^ (m + 1).
Proof.
  induction m; intros x H.
  - replace (/ 4 ^ (0 + 1)) with (1 / 4) by (simpl; field). simpl sq. pose proof (Rle_0_sqr (x - 1 / 2)) as P. unfold Rsqr in P. split; nra.
  - rewrite sq_error_in by auto. destruct (IHm (g x) (g_range x H)).
    replace (S m + 1)%nat with (S (m + 1)) by lia. simpl.
    pose proof (pow4 (m + 1)). rewrite Rinv_mult. lra.
Qed.
(** The bound is attained, at (2k+1)/2^(m+1); here at the first such point. *)
Theorem sq_error_attained m : sq m (/ 2 ^ (m + 1)) - (/ 2 ^ (m + 1)) ^ 2 = / 4 ^ (m + 1).
Proof.
  induction m.
  - simpl. field.
  - assert (0 < 2 ^ (m + 1)) by (apply pow_lt; lra).
    assert (P : 1 <= 2 ^ (m + 1)) by (apply pow_R1_Rle; lra).
    assert (I : 0 < / 2 ^ (m + 1) <= 1) by (split; [apply Rinv_0_lt_compat; lra | rewrite <- Rinv_1; apply Rinv_le_contravar; lra]).
    replace (S m + 1)%nat with (S (m + 1)) by lia. cbn [pow]. rewrite !Rinv_mult.
    rewrite sq_error_in by lra.
    replace (g (/ 2 * / 2 ^ (m + 1))) with (/ 2 ^ (m + 1)); [rewrite IHm; simpl; lra|].
    unfold g. rewrite relu_pos, relu_neg by lra. lra.
Qed.
Lemma sq_ge0 m x : 0 <= x <= 1 -> 0 <= sq m x.
Proof. intros H. destruct (sq_error m x H). nra. Qed.

(** * the network: hidden layers 1..m of units (g_(s-1), relu(g_(s-1) - 1/2), f_(s-2)); the first has two *)
Definition tooth_layer (s : nat) : layer :=
  match s with
  | O | 1%nat => [([1], 0); ([1], - (1 / 2))]
  | 2%nat => [([2; -4], 0); ([2; -4], - (1 / 2)); ([1; 0], 0)]
  | S (S (S k)) => [([2; -4; 0], 0); ([2; -4; 0], - (1 / 2)); ([- / 4 ^ S k; 0; 1], 0)]
  end.
Definition teeth (m : nat) : list layer := map tooth_layer (seq 1 m).
Definition squaring (m : nat) : net :=
  Net (teeth m) (match m with 1%nat => [([1 / 2; 1], 0)] | _ => [([-6 * / 4 ^ m; 4 * / 4 ^ m; 1], 0)] end).
(** one more layer, so that every sum has two terms *)
Definition settled_squaring (m : nat) : net :=
  Net (teeth m ++ [match m with
                   | 1%nat => [([2; -4], 0); ([1; 0], 0)]
                   | S k => [([2; -4; 0], 0); ([- / 4 ^ k; 0; 1], 0)]
                   | O => [] end])
      [([- / 4 ^ m; 1], 0)].

Lemma teeth_S m : teeth (S m) = teeth m ++ [tooth_layer (S m)].
Proof. unfold teeth. rewrite seq_S, map_app. reflexivity. Qed.
Lemma run_app ls l x : run (ls ++ [l]) x = step (run ls x) l.
Proof. unfold run. now rewrite fold_left_app. Qed.
Lemma list3 (a b c a' b' c' : R) : a = a' -> b = b' -> c = c' -> [a; b; c] = [a'; b'; c'].
Proof. congruence. Qed.

Lemma run_teeth1 x : 0 <= x <= 1 -> run (teeth 1) [x] = [x; relu (x - 1 / 2)].
Proof.
  intros H. unfold run, teeth, step, affine; simpl.
  replace (1 * x + 0 + 0) with x by lra. replace (1 * x + 0 + - (1 / 2)) with (x - 1 / 2) by lra.
  now rewrite (relu_pos x) by lra.
Qed.
Lemma run_teeth k x : 0 <= x <= 1 ->
  run (teeth (S (S k))) [x] = [saw (S k) x; relu (saw (S k) x - 1 / 2); sq k x].
Proof.
  intros H. induction k.
  - rewrite teeth_S, run_app, run_teeth1 by auto. unfold step, affine; simpl.
    destruct (g_range x H). assert (E : 2 * x + (-4 * relu (x - 1 / 2) + 0) + 0 = g x).
    { unfold g. rewrite (relu_pos x) by lra. lra. }
    rewrite E. apply list3; [now apply relu_pos | | rewrite relu_pos; lra].
    f_equal. unfold g. rewrite (relu_pos x) by lra. lra.
  - rewrite teeth_S, run_app, IHk. unfold step, affine. cbn [tooth_layer map dot fst snd].
    destruct (saw_range (S k) x H), (saw_range (S (S k)) x H).
    set (a := saw (S k) x) in *.
    assert (E : 2 * a + (-4 * relu (a - 1 / 2) + (0 * sq k x + 0)) = saw (S (S k)) x).
    { unfold a; change (saw (S (S k)) x) with (g (saw (S k) x)); fold a. unfold g. rewrite (relu_pos a) by lra. lra. }
    rewrite !E. apply list3.
    + rewrite relu_pos; lra.
    + f_equal; lra.
    + rewrite relu_pos; change (sq (S k) x) with (sq k x - saw (S k) x / 4 ^ S k); fold a; unfold Rdiv; try lra.
      pose proof (sq_ge0 (S k) x H) as P. change (sq (S k) x) with (sq k x - saw (S k) x / 4 ^ S k) in P; fold a in P.
      unfold Rdiv in P. lra.
Qed.

Theorem eval_squaring m x : (1 <= m)%nat -> 0 <= x <= 1 -> eval (squaring m) [x] = [sq m x].
Proof.
  intros M H. destruct m as [|[|k]]; [lia | |].
  - unfold eval, squaring. cbn [hidden readout]. rewrite run_teeth1 by auto. unfold affine; simpl. f_equal.
    unfold g. rewrite (relu_pos x) by lra. lra.
  - unfold eval, squaring. cbn [hidden readout]. rewrite run_teeth by auto.
    unfold affine. cbn [map dot fst snd]. f_equal.
    destruct (saw_range (S k) x H). set (a := saw (S k) x) in *.
    change (sq (S (S k)) x) with (sq k x - saw (S k) x / 4 ^ S k - g (saw (S k) x) / 4 ^ S (S k)). fold a.
    unfold g. rewrite (relu_pos a) by lra. pose proof (pow4 k). simpl. field. apply Rgt_not_eq; lra.
Qed.
Theorem squaring_error m x : (1 <= m)%nat -> 0 <= x <= 1 ->
  exists y, eval (squaring m) [x] = [y] /\ 0 <= y - x ^ 2 <= / 4 ^ (m + 1).
Proof. intros M H. exists (sq m x). split; [now apply eval_squaring | now apply sq_error]. Qed.

Theorem eval_settled_squaring m x : (1 <= m)%nat -> 0 <= x <= 1 -> eval (settled_squaring m) [x] = [sq m x].
Proof.
  intros M H. destruct m as [|[|k]]; [lia | |]; unfold eval, settled_squaring; cbn [hidden readout]; rewrite run_app.
  - rewrite run_teeth1 by auto. destruct (g_range x H) as [G _]. unfold step, affine. cbn [map dot fst snd].
    rewrite (relu_pos (1 * x + _ + 0)), relu_pos; unfold sq, saw, g in *; rewrite ?(relu_pos x) in * by lra; simpl; try lra.
    f_equal. field.
  - rewrite run_teeth by auto. destruct (saw_range (S k) x H), (saw_range (S (S k)) x H).
    pose proof (sq_ge0 (S k) x H) as P. pose proof (pow4 k).
    change (saw (S (S k)) x) with (g (saw (S k) x)) in *.
    change (sq (S (S k)) x) with (sq (S k) x - g (saw (S k) x) / 4 ^ S (S k)).
    change (sq (S k) x) with (sq k x - saw (S k) x / 4 ^ S k) in *. set (a := saw (S k) x) in *.
    unfold step, affine. cbn [map dot fst snd]. unfold g in *. rewrite (relu_pos a) in * by lra. unfold Rdiv in *.
    rewrite (relu_pos (2 * a + _ + 0)), (relu_pos (- / 4 ^ S k * a + _ + 0)) by lra. f_equal. lra.
Qed.
(** 7 m - 2 parameters would be counted here: see the report. *)
