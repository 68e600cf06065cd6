(** Main theorem [params_merge]: how many nonzero numbers the product of two facing affine maps has, when the rows of the inner
    one have separate supports; and with it [hid_compose], the count of the hidden layers of a composition. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Squaring Multiplication Counts Indicators Memorize MemorizeEuclidean.
Import ListNotations.
Open Scope R_scope.

(** Nonzero numbers in hidden layers, and in the readout. *)
Definition hid (f : net) : nat := params_of (hidden f).
Definition out (f : net) : nat := params_layer (readout f).
(** Entries of a combination with coefficients r of rows that have u entries each. *)
Fixpoint wcount (r : vec) (u : list nat) : nat := match r, u with a :: r', k :: u' => (nz a * k + wcount r' u')%nat | _, _ => 0%nat end.
(** Entries and biases of a layer l merged with rows that have u entries each, and biases b. *)
Definition score (l : layer) (u : list nat) (b : vec) : nat := list_sum (map (fun rb => (wcount (fst rb) u + nz (dot (fst rb) b + snd rb))%nat) l).
(** The rows of l have separate supports, of u entries each. *)
Definition blocks (l : layer) (u : list nat) := length u = length l /\ forall r, count (vcomb r (map fst l)) = wcount r u.

(** A product of facing maps, counted. *)
Theorem params_merge l2 l1 u : blocks l1 u -> params_layer (merge l2 l1) = score l2 u (map snd l1).
Proof. intros [_ H]. unfold params_layer, merge, score. rewrite map_map. f_equal. apply map_ext. intros [r b]; cbn [fst snd]. now rewrite H. Qed.

(** Entries add up. *)
Lemma params_of_cons a l : params_of (a :: l) = (params_layer a + params_of l)%nat.
Proof. reflexivity. Qed.
(** Hidden layers of a composition: the facing maps merge, the others stay. *)
Theorem hid_compose f g l ls : hidden f = l :: ls ->
  hid (compose f g) = (hid g + params_layer (merge l (readout g)) + params_of ls)%nat /\ readout (compose f g) = readout f.
Proof. intros E. unfold compose, hid. rewrite E. cbn [hidden readout]. rewrite params_of_app, params_of_cons. split; [lia | reflexivity]. Qed.
(** A composition with an affine map. *)
Lemma hid_compose0 f g : hidden f = [] -> hid (compose f g) = hid g /\ readout (compose f g) = merge (readout f) (readout g).
Proof. intros E. unfold compose, hid. rewrite E. split; reflexivity. Qed.
(** The parameters are those of the hidden layers and of the readout. *)
Lemma params_split f : params f = (hid f + out f)%nat.
Proof. reflexivity. Qed.

(** * counting by positions *)
(** Entry j of a sum. *)
Lemma nth_vadd a : forall b j, nth j (vadd a b) 0 = nth j a 0 + nth j b 0.
Proof.
  induction a as [|x a IH]; intros [|y b] j; cbn [vadd].
  - destruct j; simpl; lra.
  - destruct j; simpl; lra.
  - rewrite <- (Rplus_0_r (nth j (x :: a) 0)) at 1. f_equal. destruct j; reflexivity.
  - destruct j; simpl; [lra | apply IH].
Qed.
(** Entry j of a multiple. *)
Lemma nth_vscale c w j : nth j (vscale c w) 0 = c * nth j w 0.
Proof. unfold vscale. rewrite <- (Rmult_0_r c) at 1. apply map_nth. Qed.
(** Entry j of a combination of rows. *)
Lemma nth_vcomb r : forall rows j, nth j (vcomb r rows) 0 = dot r (map (fun w => nth j w 0) rows).
Proof.
  induction r as [|a r IH]; intros [|w rows] j; cbn [vcomb map dot]; try (destruct j; reflexivity).
  now rewrite nth_vadd, nth_vscale, IH.
Qed.
(** Equal numbers count alike. *)
Lemma nz_eq a b : a = b -> nz a = nz b.
Proof. congruence. Qed.
(** A row's first entry. *)
Lemma count_cons a v : count (a :: v) = (nz a + count v)%nat.
Proof. reflexivity. Qed.
(** A row of zeros counts nothing. *)
Lemma count_null v : (forall j, nth j v 0 = 0) -> count v = 0%nat.
Proof. induction v as [|a v IH]; intros H; auto. rewrite count_cons, IH by (intros j; exact (H (S j))). rewrite (nz_eq a 0 (H 0%nat)), nz_0. reflexivity. Qed.
(** Rows that agree up to zeros at their end count alike. *)
Lemma count_ext a : forall b, (forall j, nth j a 0 = nth j b 0) -> count a = count b.
Proof.
  induction a as [|x a IH]; intros [|y b] H; auto.
  - rewrite (count_null (y :: b)); auto. intros j. rewrite <- H. now destruct j.
  - rewrite (count_null (x :: a)); auto. intros j. rewrite H. now destruct j.
  - rewrite !count_cons, (IH b) by (intros j; exact (H (S j))). rewrite (nz_eq x y (H 0%nat)). reflexivity.
Qed.
(** Rows side by side. *)
Lemma count_vadd n : forall a b, (length a <= n)%nat -> count (vadd a (repeat 0 n ++ b)) = (count a + count b)%nat.
Proof.
  induction n; intros [|x a] b L; simpl in L; try lia.
  - destruct b; reflexivity.
  - cbn [vadd]. now rewrite count_app, count_zeros.
  - cbn [repeat app vadd]. rewrite !count_cons, IHn by lia. rewrite (nz_eq (x + 0) x) by lra. lia.
Qed.
(** A sum over two lists. *)
Lemma dot_cut x : forall r y, dot r (x ++ y) = dot r x + dot (skipn (length x) r) y.
Proof.
  induction x as [|a x IH]; intros r y; cbn [app length skipn].
  - rewrite dot_nil_r. lra.
  - destruct r as [|c r]; cbn [dot skipn]; [simpl; lra|]. rewrite IH. lra.
Qed.
(** No rows, no entries. *)
Lemma wcount_nil_r r : wcount r [] = 0%nat.
Proof. destruct r; reflexivity. Qed.
(** Entries over two lists of rows. *)
Lemma wcount_cut u : forall r v, wcount r (u ++ v) = (wcount r u + wcount (skipn (length u) r) v)%nat.
Proof.
  induction u as [|k u IH]; intros r v; cbn [app length skipn]; [now rewrite wcount_nil_r|].
  destruct r as [|a r]; cbn [wcount skipn]; [reflexivity|]. rewrite IH. lia.
Qed.

(** * rows with separate supports *)
Lemma blocks_nil : blocks [] [].
Proof. split; auto. intros r. destruct r; reflexivity. Qed.
(** One row. *)
Lemma nz_mult a b : nz (a * b) = (nz a * nz b)%nat.
Proof.
  unfold nz. destruct (Req_EM_T a 0) as [A|A], (Req_EM_T b 0) as [B|B], (Req_EM_T (a * b) 0) as [C|C]; auto; exfalso; subst;
    try (apply C; ring). apply Rmult_integral in C. tauto.
Qed.
(** A multiple of a row. *)
Lemma count_vscale a w : count (vscale a w) = (nz a * count w)%nat.
Proof. induction w as [|x w IH]; [unfold count; simpl; lia|]. unfold vscale in *. cbn [map]. rewrite !count_cons, IH, nz_mult. lia. Qed.
(** Adding nothing. *)
Lemma vadd_nil_r a : vadd a [] = a.
Proof. destruct a; reflexivity. Qed.
(** One row alone. *)
Lemma blocks_one w b : blocks [(w, b)] [count w].
Proof.
  split; auto. intros [|a r]; [reflexivity|]. cbn [map fst vcomb wcount].
  replace (vcomb r []) with (@nil R) by (destruct r; reflexivity). rewrite vadd_nil_r, wcount_nil_r, count_vscale. lia.
Qed.
(** Networks side by side have their rows side by side. *)
Lemma vcomb_prefix r rows : vcomb (firstn (length rows) r) rows = vcomb r rows.
Proof. revert r. induction rows as [|w rows IH]; intros [|a r]; auto. cbn [length firstn vcomb]. now rewrite IH. Qed.
(** A combination of rows of separate networks: the sum of both counts. *)
Lemma count_vcomb_diag n l1 l2 r : fits n l1 ->
  count (vcomb r (map fst (diag n l1 l2))) = (count (vcomb r (map fst l1)) + count (vcomb (skipn (length l1) r) (map fst l2)))%nat.
Proof.
  intros F. rewrite <- (count_vadd n).
  - apply count_ext. intros j. rewrite nth_vadd, !nth_vcomb. unfold diag. rewrite map_app, map_app, dot_cut, !map_length. f_equal.
    set (s := skipn (length l1) r). clearbody s. rewrite map_map. cbn [fst].
    destruct (Nat.ltb_spec j n).
    + rewrite app_nth1 by (rewrite repeat_length; lia). rewrite nth_repeat.
      transitivity (dot s (map (fun _ => 0) l2)).
      * f_equal. rewrite map_map. apply map_ext. intros rb; cbn [fst]. rewrite app_nth1 by (rewrite repeat_length; lia). apply nth_repeat.
      * clear. revert s. induction l2; intros [|a' s]; simpl; try lra. rewrite IHl2. lra.
    + rewrite app_nth2 by (rewrite repeat_length; lia). rewrite nth_vcomb. f_equal. rewrite !map_map. apply map_ext. intros rb; cbn [fst].
      rewrite app_nth2 by (rewrite repeat_length; lia). rewrite repeat_length. reflexivity.
  - apply vcomb_length. rewrite Forall_map. exact F.
Qed.
(** Separate networks have separate supports. *)
Lemma blocks_diag n l1 l2 u1 u2 : fits n l1 -> blocks l1 u1 -> blocks l2 u2 -> blocks (diag n l1 l2) (u1 ++ u2).
Proof.
  intros F [L1 B1] [L2 B2]. split.
  - unfold diag. rewrite !app_length, map_length. f_equal; assumption.
  - intros r. rewrite count_vcomb_diag, B1, B2, wcount_cut by auto. now rewrite L1.
Qed.
(** The readout of networks in parallel. *)
Lemma snd_diags fs : forall gs n fo go, length fs = length gs -> snd (diags n fs gs fo go) = diag (width n fs) fo go.
Proof.
  induction fs as [|a fs IH]; intros [|b gs] n fo go L; simpl in L; try lia; auto.
  cbn [diags width]. specialize (IH gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go). exact IH.
Qed.
(** The readout of networks in parallel stands in blocks. *)
Lemma readout_parallel f g D : wf D f -> depth f = depth g -> depth f <> 0%nat ->
  exists n, fits n (readout f) /\ readout (parallel f g) = diag n (readout f) (readout g).
Proof.
  destruct f as [[|a fs] fo], g as [[|b gs] go]; unfold wf, depth, parallel; cbn [hidden readout length]; intros W E N; try lia; try tauto.
  exists (width (length a) fs). destruct W as [_ W]. split; [now apply fit_last|].
  pose proof (snd_diags fs gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go). assumption.
Qed.
(** So it has separate supports if theirs have. *)
Lemma blocks_parallel f g D u v : wf D f -> depth f = depth g -> depth f <> 0%nat ->
  blocks (readout f) u -> blocks (readout g) v -> blocks (readout (parallel f g)) (u ++ v).
Proof. intros W E N U V. destruct (readout_parallel f g D W E N) as [n [F ->]]. now apply blocks_diag. Qed.
(** Hidden layers of networks in parallel. *)
Lemma params_diags_hidden fs : forall gs n fo go, length fs = length gs ->
  params_of (fst (diags n fs gs fo go)) = (params_of fs + params_of gs)%nat.
Proof.
  induction fs as [|a fs IH]; intros [|b gs] n fo go L; simpl in L; try lia; auto.
  cbn [diags]. specialize (IH gs (length a) fo go ltac:(lia)). destruct (diags (length a) fs gs fo go). cbn [fst] in *.
  rewrite !params_of_cons, params_diag, IH. lia.
Qed.
(** Hidden layers in parallel add up. *)
Theorem hid_parallel f g : depth f = depth g -> hid (parallel f g) = (hid f + hid g)%nat.
Proof.
  destruct f as [[|a fs] fo], g as [[|b gs] go]; unfold depth, parallel, hid; cbn [hidden readout length]; intros L; try lia; auto.
  pose proof (params_diags_hidden fs gs (length a) fo go ltac:(lia)) as E. destruct (diags (length a) fs gs fo go).
  cbn [hidden fst] in *. rewrite !params_of_cons, params_layer_app, E. lia.
Qed.

(** * scores *)
Lemma score_nil u b : score [] u b = 0%nat.
Proof. reflexivity. Qed.
(** A layer's first row. *)
Lemma score_cons r c l u b : score ((r, c) :: l) u b = (wcount r u + nz (dot r b + c) + score l u b)%nat.
Proof. reflexivity. Qed.
(** Layers one under the other. *)
Lemma score_app l1 l2 u b : score (l1 ++ l2) u b = (score l1 u b + score l2 u b)%nat.
Proof. unfold score. now rewrite map_app, list_sum_app. Qed.
(** Zeros before a row skip rows. *)
Lemma wcount_shift n : forall r u, wcount (repeat 0 n ++ r) u = wcount r (skipn n u).
Proof.
  induction n; intros r [|k u]; cbn [repeat app wcount skipn]; auto; [now rewrite wcount_nil_r|].
  rewrite nz_0, IHn. lia.
Qed.
(** And numbers. *)
Lemma dot_shift n : forall r b, dot (repeat 0 n ++ r) b = dot r (skipn n b).
Proof. induction n; intros r [|x b]; cbn [repeat app dot skipn]; auto; [now rewrite dot_nil_r|]. rewrite IHn. lra. Qed.
(** Networks on separate inputs. *)
Lemma score_diag n l1 l2 u b : score (diag n l1 l2) u b = (score l1 u b + score l2 (skipn n u) (skipn n b))%nat.
Proof.
  unfold diag. rewrite score_app. f_equal. unfold score. rewrite map_map. f_equal. apply map_ext. intros [r c]; cbn [fst snd].
  now rewrite wcount_shift, dot_shift.
Qed.
(** One coefficient. *)
Lemma wcount_zeros n u : wcount (repeat 0 n) u = 0%nat.
Proof. revert u. induction n; intros [|k u]; cbn [repeat wcount]; auto. now rewrite nz_0, IHn. Qed.
(** A row with a single 1 takes one row's entries. *)
Lemma wcount_idrow n i u : (i < n)%nat -> length u = n -> wcount (idrow n i) u = nth i u 0%nat.
Proof.
  intros I L. unfold idrow. rewrite wcount_shift. destruct (skipn i u) as [|k v] eqn:E.
  - assert (H : length (skipn i u) = 0%nat) by now rewrite E. rewrite skipn_length in H. lia.
  - cbn [wcount]. rewrite wcount_zeros, nz_1 by lra. rewrite <- (firstn_skipn i u), E, app_nth2; rewrite firstn_length; [|lia].
    rewrite Nat.min_l by lia. rewrite Nat.sub_diag. simpl. lia.
Qed.
(** Signs do not matter. *)
Lemma nz_opp a : nz (- a) = nz a.
Proof. unfold nz. destruct (Req_EM_T a 0), (Req_EM_T (- a) 0); lra || auto. Qed.
(** Nor in rows. *)
Lemma wcount_opp r : forall u, wcount (map Ropp r) u = wcount r u.
Proof. induction r as [|a r IH]; intros [|k u]; cbn [map wcount]; auto. now rewrite nz_opp, IH. Qed.
(** All coefficients. *)
Lemma wcount_repeat s n : forall u, s <> 0 -> length u = n -> wcount (repeat s n) u = list_sum u.
Proof.
  induction n; intros [|k u] S L; simpl in L; try lia; auto. cbn [repeat wcount]. rewrite IHn, nz_1 by (auto; lia). simpl. lia.
Qed.
(** Equal summands. *)
Lemma list_sum_repeat k n : list_sum (repeat k n) = (k * n)%nat.
Proof. induction n; simpl; [lia|]. unfold list_sum in *. rewrite IHn. lia. Qed.
(** A sum by positions. *)
Lemma sum_nth (u : list nat) : list_sum (map (fun i => nth i u 0%nat) (seq 0 (length u))) = list_sum u.
Proof. f_equal. induction u as [|k u IH]; cbn [length seq map nth]; auto. f_equal. rewrite <- seq_shift, map_map. exact IH. Qed.
(** A count by positions. *)
Lemma map_nz_seq (b : vec) : list_sum (map (fun i => nz (nth i b 0)) (seq 0 (length b))) = count b.
Proof. unfold count. f_equal. rewrite <- (map_nth_seq b) at 2. now rewrite map_map. Qed.
(** Sums add up. *)
Lemma list_sum_add {A} (f g : A -> nat) l : list_sum (map (fun i => (f i + g i)%nat) l) = (list_sum (map f l) + list_sum (map g l))%nat.
Proof. unfold list_sum. induction l; cbn [map fold_right]; auto. rewrite IHl. lia. Qed.
(** A delay copies rows. *)
Lemma score_ident n u b : length u = n -> length b = n -> score (ident n) u b = (list_sum u + count b)%nat.
Proof.
  intros U B. unfold score, ident. rewrite map_map. cbn [fst snd]. rewrite <- (sum_nth u), <- (map_nz_seq b), U, B, <- list_sum_add.
  f_equal. apply map_ext_in. intros i I. apply in_seq in I.
  rewrite wcount_idrow, dot_idrow by (auto; lia). f_equal. apply nz_eq. lra.
Qed.
