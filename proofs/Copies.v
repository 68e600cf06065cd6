(** Main theorem [eval_copies]: one network applied to n separate inputs, and [hid_copies]: its count is n times the network's. *)
From Coq Require Import Reals Lra List Lia Arith.
From CGRO Require Import Networks Multiplication Counts Distance Memorize MemorizeEuclidean MemorizeGate Composition.
Import ListNotations.
Open Scope R_scope.

(** n copies of f, which takes k numbers. *)
Fixpoint copies (n k : nat) (f : net) : net := match n with O => Net (repeat [] (depth f)) [] | S n' => dsum k f (copies n' k f) end.

(** Depth, fit and outputs. *)
Lemma depth_copies n k f : depth (copies n k f) = depth f.
Proof. induction n; cbn [copies]; [unfold depth; simpl; apply repeat_length|]. rewrite depth_dsum; auto. Qed.
(** Copies fit. *)
Lemma wf_copies n k f : wf k f -> wf (n * k) (copies n k f) /\ length (readout (copies n k f)) = (n * length (readout f))%nat.
Proof.
  intros W. induction n as [|n [V L]]; cbn [copies]; [split; [apply wf_blank | reflexivity]|].
  destruct (wf_dsum k (n * k) f (copies n k f) W V) as [P Q]; [now rewrite depth_copies|].
  cbn [Nat.mul]. split; [exact P | rewrite Q, L; reflexivity].
Qed.
(** The value: f of each part. *)
Theorem eval_copies k f xs : wf k f -> (forall x, In x xs -> length x = k) ->
  eval (copies (length xs) k f) (concat xs) = concat (map (eval f) xs).
Proof.
  intros W. induction xs as [|x xs IH]; intros H; [reflexivity|]. cbn [length copies concat map].
  rewrite eval_dsum; auto; [|now rewrite depth_copies | apply H; left; auto]. rewrite IH; auto. intros; apply H; right; auto.
Qed.
(** The readout of networks on separate inputs has its rows side by side. *)
Lemma readout_dsum n f g : depth f = depth g -> readout (dsum n f g) = diag (width n (hidden f)) (readout f) (readout g).
Proof.
  intros E. unfold dsum. pose proof (snd_diags (hidden f) (hidden g) n (readout f) (readout g) E).
  destruct (diags _ _ _ _ _). assumption.
Qed.
(** Networks on separate inputs have separate supports. *)
Lemma blocks_dsum n f g u v : wf n f -> depth f = depth g -> blocks (readout f) u -> blocks (readout g) v -> blocks (readout (dsum n f g)) (u ++ v).
Proof. intros W E U V. rewrite readout_dsum by auto. apply blocks_diag; auto. unfold wf in W. now apply fit_last. Qed.
(** Their hidden layers add up. *)
Theorem hid_dsum n f g : depth f = depth g -> hid (dsum n f g) = (hid f + hid g)%nat.
Proof.
  intros E. unfold dsum, hid. pose proof (params_diags_hidden (hidden f) (hidden g) n (readout f) (readout g) E) as P.
  destruct (diags _ _ _ _ _). exact P.
Qed.
(** Rows without entries. *)
Lemma hid_blank k o : hid (Net (repeat [] k) o) = 0%nat.
Proof. unfold hid; cbn [hidden]. induction k; auto. Qed.
(** Copies' hidden layers. *)
Theorem hid_copies n k f : hid (copies n k f) = (n * hid f)%nat.
Proof. induction n; cbn [copies]; [apply hid_blank|]. rewrite hid_dsum, IHn by now rewrite depth_copies. reflexivity. Qed.
(** Readouts on separate inputs add up. *)
Lemma out_dsum n f g : depth f = depth g -> out (dsum n f g) = (out f + out g)%nat.
Proof. intros E. unfold out. rewrite readout_dsum by auto. apply params_diag. Qed.
(** Copies' readouts. *)
Lemma out_copies n k f : out (copies n k f) = (n * out f)%nat.
Proof. induction n; cbn [copies]; [reflexivity|]. rewrite out_dsum, IHn by now rewrite depth_copies. reflexivity. Qed.
(** Readout rows of copies. *)
Fixpoint times {A} (n : nat) (u : list A) : list A := match n with O => [] | S n' => u ++ times n' u end.
(** Repeating one thing. *)
Lemma times_one {A} n (k : A) : times n [k] = repeat k n.
Proof. induction n; simpl; congruence. Qed.
(** Copies have separate supports. *)
Lemma blocks_copies n k f u : wf k f -> blocks (readout f) u -> blocks (readout (copies n k f)) (times n u).
Proof. intros W U. induction n; cbn [copies times]; [apply blocks_nil|]. apply blocks_dsum; auto. now rewrite depth_copies. Qed.
(** Copies' biases. *)
Lemma biases_copies n k f : map snd (readout (copies n k f)) = times n (map snd (readout f)).
Proof.
  induction n; cbn [copies times]; auto. rewrite readout_dsum by now rewrite depth_copies. unfold diag. rewrite map_app, map_map.
  f_equal. rewrite <- IHn. now apply map_ext.
Qed.
(** The first layer of copies: copies of the first layer. *)
Fixpoint diag_copies (n k : nat) (l : layer) : layer := match n with O => [] | S n' => diag k l (diag_copies n' k l) end.
(** Copies start with copies of the first layer. *)
Lemma first_copies n k f l ls : hidden f = l :: ls -> exists ms, hidden (copies n k f) = diag_copies n k l :: ms /\ params_of ms = (n * params_of ls)%nat.
Proof.
  intros E. induction n as [|n [ms [H P]]]; cbn [copies diag_copies].
  - exists (repeat [] (length ls)). cbn [hidden]. unfold depth. rewrite E. split; [reflexivity|]. apply (hid_blank _ []).
  - unfold dsum. rewrite E, H. cbn [diags].
    pose proof (params_diags_hidden ls ms (length l) (readout f) (readout (copies n k f))) as Q.
    assert (Lm : length ls = length ms).
    { pose proof (depth_copies n k f) as Dc. unfold depth in Dc. rewrite H, E in Dc. simpl in Dc. lia. }
    specialize (Q Lm). destruct (diags (length l) ls ms _ _) as [h o]. cbn [hidden fst] in *. exists h. split; auto. rewrite Q, P. reflexivity.
Qed.
(** What merging copies of a layer costs, for rows in groups of k. *)
Lemma score_short k l u v b d : fits k l -> length u = k -> length b = k -> score l (u ++ v) (b ++ d) = score l u b.
Proof.
  intros F U B. unfold score. f_equal. apply map_ext_in. intros [r c] I. unfold fits in F. rewrite Forall_forall in F. specialize (F _ I).
  cbn [fst snd] in *. rewrite wcount_cut, skipn_all2, dot_short by lia. cbn [wcount]. lia.
Qed.
(** Merging copies costs n times the layer. *)
Lemma score_copies k l u b n : fits k l -> length u = k -> length b = k -> score (diag_copies n k l) (times n u) (times n b) = (n * score l u b)%nat.
Proof.
  intros F U B. induction n; cbn [diag_copies times Nat.mul]; auto. rewrite score_diag, (score_short k) by auto.
  rewrite !skipn_app, U, B, Nat.sub_diag, (skipn_all2 u), (skipn_all2 b) by lia. cbn [skipn app]. now rewrite IHn.
Qed.
