/*
 * Takeover with lying TMR servers, from docs/PROTOCOL.md §2.4, §3.2, §3.5, §4.1, §4.3 and §4.4. What it leaves
 * out, how to run it and what was found stands in README.md beside it.
 *
 * A step is what one license server does with one message. There is no process for the TMR servers: they lie, and all
 * links are theirs, so at any time any message may come that can be put together from what license servers have signed.
 *
 * A head is a small number, the last entry's value. An entry is voted for only behind a certified one, so what lies
 * before it is the same for all as long as the assertion holds, and where it stops to hold the run ends.
 */

#ifndef EPOCHS
#define EPOCHS 3 /* all begin in the first; each further one is a takeover */
#endif
#ifndef INDEXES
#define INDEXES 2 /* at most 3, as LAST_INDEX has two bits */
#endif
#ifndef VALUES
#define VALUES 3 /* different entries that are proposed at one index; at most 3, as LAST_HEAD has two bits */
#endif
#define NOTHING 0

/* What a license server remembers. Its log: the entries that it holds certified, then at most one that is not. */
byte promised[3] = 1;
byte logEpoch[3] = 1;
byte certified[3];
byte tail[3];

/* What was signed, and is known to whoever lies. */
byte vote[EPOCHS * INDEXES * 3];
byte promise[(EPOCHS - 1) * 3];

/* For the assertion: what was certified first. And how many values are in use: a new one may as well be the next. */
byte decided[INDEXES + 1];
byte used[INDEXES + 1];

/* Only used within a step; 0 between steps, so that they make no states. */
byte me, a, b, c, top, last, head, agreeing, baseIndex, baseHead, allowed, e, i, kept;

/* Whether all rules come to bear: with ALL_RULES the search has to end with a violation of this assertion. */
#ifdef ALL_RULES
hidden short seen; /* in all states that were looked at, not in one */
#define SAW(n) seen = seen | (1 << (n)); assert(seen != 2047)
#else
#define SAW(n) skip
#endif

#define MAX(x, y) ((x) > (y) -> (x) : (y))
#define VOTE(e, i, v) vote[(((e) - 1) * INDEXES + (i) - 1) * 3 + (v)]

/* §2.4: what two members have voted for at one epoch and index. */
#define AGREE(e, i, v, w) (VOTE(e, i, v) != NOTHING && VOTE(e, i, v) == VOTE(e, i, w))
#define CERTIFIED(e, i) \
  (AGREE(e, i, 0, 1) || AGREE(e, i, 0, 2) -> VOTE(e, i, 0) : (AGREE(e, i, 1, 2) -> VOTE(e, i, 1) : NOTHING))

/* §2.5: a promise in one byte: `logEpoch`, which is never 0, last index and last head. */
#define PROMISE(e, v) promise[((e) - 2) * 3 + (v)]
#define LOG_EPOCH(p) ((p) >> 4)
#define LAST_INDEX(p) (((p) >> 2) & 3)
#define LAST_HEAD(p) ((p) & 3)
#define LAST(v) (certified[v] + (tail[v] != NOTHING))
#define HEAD(v) (tail[v] != NOTHING -> tail[v] : decided[certified[v]])

#define IS_LONGEST(p) (LOG_EPOCH(p) == top && LAST_INDEX(p) == last)
#define IS_LONGEST_WITH(p, h) (IS_LONGEST(p) && LAST_HEAD(p) == (h))
#define LENGTH_IN_TOP(p) (LOG_EPOCH(p) == top -> LAST_INDEX(p) : 0)
#define REPORTS(p) (LAST_INDEX(p) > last || (LAST_INDEX(p) == last && LAST_HEAD(p) == head))

/* Two promises of three, or all; a leader that may choose between two logs also chooses which it shows first. */
#ifdef LONGEST_WINS
#define JUSTIFICATIONS 7
#else
#define JUSTIFICATIONS 4
#endif

/* Rule 4 is for three promises. */
#ifdef LONE_TAIL_OF_TWO_DROPPED
#define IS_LONE (last > 0 && REPORTS(a) + REPORTS(b) + REPORTS(c) == 1)
#else
#define IS_LONE (c != NOTHING && last > 0 && REPORTS(a) + REPORTS(b) + REPORTS(c) == 1)
#endif

/* §4.3 for the promises a, b and c of one epoch; c may be NOTHING. Leaves baseHead = NOTHING for "all but the last
 * entry". */
inline chooseBase() {
  allowed = true;
  top = MAX(LOG_EPOCH(a), MAX(LOG_EPOCH(b), LOG_EPOCH(c)));
  last = MAX(LENGTH_IN_TOP(a), MAX(LENGTH_IN_TOP(b), LENGTH_IN_TOP(c)));
  /* The head that two of the longest logs have, or else the first of them. */
  head = (IS_LONGEST(a) -> LAST_HEAD(a) : (IS_LONGEST(b) -> LAST_HEAD(b) : LAST_HEAD(c)));
  if
  :: IS_LONGEST(b) && IS_LONGEST_WITH(c, LAST_HEAD(b)) -> head = LAST_HEAD(b)
  :: else
  fi;
  agreeing = IS_LONGEST_WITH(a, head) + IS_LONGEST_WITH(b, head) + IS_LONGEST_WITH(c, head);
  baseIndex = last;
  baseHead = head;
  if
  :: agreeing == IS_LONGEST(a) + IS_LONGEST(b) + IS_LONGEST(c) ->
    if
    :: IS_LONE -> dropLast(); SAW(0)
    :: else
    fi
  :: else -> settle()
  fi
}

/* Rule 3: two heads at one index of one epoch. The third promise is needed; the head that two share, or the log
 * before it. */
inline settle() {
#ifdef LONGEST_WINS
  skip
#else
  if
  :: c == NOTHING -> allowed = false; SAW(1)
  :: c != NOTHING && agreeing < 2 -> dropLast(); SAW(2)
  :: else -> SAW(3)
  fi
#endif
}

inline dropLast() {
  baseIndex = last - 1;
  baseHead = NOTHING
}

/* §4.4: the base's last entry again, or the entry that follows the base. */
inline checkAdoption() {
#ifndef NO_JUSTIFICATION
  if
  :: justification == 0 -> a = PROMISE(epoch, 1); b = PROMISE(epoch, 2)
  :: justification == 1 -> a = PROMISE(epoch, 0); b = PROMISE(epoch, 2)
  :: justification == 2 -> a = PROMISE(epoch, 0); b = PROMISE(epoch, 1)
  :: justification == 3 -> a = PROMISE(epoch, 0); b = PROMISE(epoch, 1); c = PROMISE(epoch, 2)
  :: justification == 4 -> a = PROMISE(epoch, 2); b = PROMISE(epoch, 1)
  :: justification == 5 -> a = PROMISE(epoch, 2); b = PROMISE(epoch, 0)
  :: justification == 6 -> a = PROMISE(epoch, 1); b = PROMISE(epoch, 0)
  fi;
  if
  :: a == NOTHING || b == NOTHING -> allowed = false
  :: else ->
    chooseBase();
    if
    :: allowed && place == baseIndex && value == baseHead -> SAW(4)
    :: allowed && place == baseIndex + 1 && baseIndex < last -> SAW(5)
    :: allowed && place == baseIndex + 1 && baseIndex == last && baseHead == decided[baseIndex] -> SAW(6)
    :: else -> allowed = false
    fi;
    if
    :: allowed && top != LOG_EPOCH(a) -> SAW(7)
    :: else
    fi
  fi
#else
  skip
#endif
}

/* §3.2: the epoch is the promised one, the entry before is certified, nothing else was signed at this place. */
inline propose() {
  me = _pid;
  epoch = promised[me];
  place = certified[me] + 1;
  allowed = true;
  if
  :: logEpoch[me] < epoch -> checkAdoption()
  /* A tail under the epoch of the log is what was signed there: `tail` and `logEpoch` change together, or the tail
   * goes. */
  :: else -> assert(tail[me] == NOTHING)
  fi;
  if
  :: allowed -> sign()
  :: else
  fi
}

inline sign() {
  tail[me] = value;
  logEpoch[me] = epoch;
  used[place] = MAX(used[place], value);
  printf("L%d votes in epoch %d: entry %d is %d\n", me + 1, epoch, place, value);
  if
  :: CERTIFIED(epoch, place) == NOTHING ->
    assert(VOTE(epoch, place, me) == NOTHING); /* §9.4 */
    VOTE(epoch, place, me) = value
  :: CERTIFIED(epoch, place) == value
  :: else -> SAW(8) /* the third vote changes nothing, whatever it is for */
  fi;
  kept = CERTIFIED(epoch, place);
  if
  :: kept != NOTHING ->
    assert(decided[place] == NOTHING || decided[place] == kept); /* §9.3 */
    decided[place] = kept
  :: else
  fi
}

/* §4.1 */
inline prepare() {
  me = _pid;
  promised[me] = epoch;
  PROMISE(epoch, me) = (logEpoch[me] << 4) + (LAST(me) << 2) + HEAD(me);
  printf("L%d promises epoch %d; its log is of epoch %d and ends at entry %d, which is %d\n", me + 1, epoch,
         logEpoch[me], LAST(me), HEAD(me))
}

/* A certificate comes: with a proposal or alone, for the uncertified entry (§3.2 rule 5); or with entries (§3.5). */
inline certificate() {
  me = _pid;
  value = CERTIFIED(epoch, place);
  if
  :: value == NOTHING
  :: value != NOTHING && place == certified[me] + 1 && tail[me] == value ->
    take();
    logEpoch[me] = MAX(logEpoch[me], epoch);
    SAW(9)
  :: value != NOTHING && !(place == certified[me] + 1 && tail[me] == value) && epoch >= logEpoch[me] ->
    if
    :: tail[me] != NOTHING -> SAW(10)
    :: else
    fi;
    take();
#ifdef CATCHUP_RAISES_TO_PROMISED
    logEpoch[me] = promised[me]
#else
    logEpoch[me] = epoch
#endif
  :: else
  fi
}

inline take() {
  certified[me] = place;
  tail[me] = NOTHING;
  promised[me] = MAX(promised[me], epoch);
  printf("L%d takes the certificate of epoch %d: entry %d is %d\n", me + 1, epoch, place, value)
}

#define MAY_VOTE(v, e) (promised[v] <= e && certified[v] < INDEXES)
#define MAY_ADOPT(v, e) (MAY_VOTE(v, e) && (promised[v] < e || logEpoch[v] < e))
#define ALL_HOLD(i) (certified[0] >= i && certified[1] >= i && certified[2] >= i)

/* What nobody can use any more is forgotten, or states would differ in what makes no difference. */
inline forget() {
  e = 1;
  do
  :: e <= EPOCHS ->
    if
    :: e > 1 && !MAY_ADOPT(0, e) && !MAY_ADOPT(1, e) && !MAY_ADOPT(2, e) ->
      PROMISE(e, 0) = NOTHING; PROMISE(e, 1) = NOTHING; PROMISE(e, 2) = NOTHING
    :: else
    fi;
    i = 1;
    do
    :: i <= INDEXES ->
      kept = CERTIFIED(e, i);
      if
      :: ALL_HOLD(i) || kept != NOTHING || (!MAY_VOTE(0, e) && !MAY_VOTE(1, e) && !MAY_VOTE(2, e)) ->
        /* A certificate is the same whoever signed it. */
        kept = (ALL_HOLD(i) -> NOTHING : kept);
        VOTE(e, i, 0) = kept; VOTE(e, i, 1) = kept; VOTE(e, i, 2) = kept
      :: else
      fi;
      i++
    :: else -> break
    od;
    e++
  :: else -> break
  od
}

inline finish() {
  assert(promised[me] >= logEpoch[me]); /* §1.2 */
#ifndef REMEMBER_ALL
  forget();
#endif
  epoch = 0; place = 0; value = 0; justification = 0;
  me = 0; a = 0; b = 0; c = 0; top = 0; last = 0; head = 0; agreeing = 0; baseIndex = 0; baseHead = 0; allowed = 0;
  e = 0; i = 0; kept = 0
}

/* What comes is chosen by the lying TMR servers: which epoch, which entry, which promises, which certificate. */
active [3] proctype LicenseServer() {
  byte epoch, place, value, justification;
end:
  do
  :: atomic {
       promised[_pid] < EPOCHS ->
       select (epoch : promised[_pid] + 1 .. EPOCHS);
       d_step { prepare(); finish() }
     }
  :: atomic {
       certified[_pid] < INDEXES && (tail[_pid] == NOTHING || logEpoch[_pid] < promised[_pid]) ->
       select (value : 1 .. (used[certified[_pid] + 1] < VALUES -> used[certified[_pid] + 1] + 1 : VALUES));
       if
       :: logEpoch[_pid] < promised[_pid] -> select (justification : 0 .. JUSTIFICATIONS - 1)
       :: else
       fi;
       d_step { propose(); finish() }
     }
  :: atomic {
       certified[_pid] < INDEXES ->
       select (epoch : 1 .. EPOCHS);
       select (place : certified[_pid] + 1 .. INDEXES);
       d_step { certificate(); finish() }
     }
  od
}
