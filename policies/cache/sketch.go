package cache

// sketch estimates how often keys were asked for lately: a count-min sketch of counters of four bits, of which all four of a key
// are in one cache line, as in Caffeine (B. Manes; after G. Einziger, R. Friedman, B. Manes: TinyLFU, 2017). After so many
// counts per entry all counters are halved, so that what was popular once is forgotten.
type sketch struct {
	table   []uint64 // blocks of eight words, a power of two of them; nil until something is stored
	entries int      // the most for which fit was asked
	added   int      // counts since the counters were halved
}

const (
	blockWords = 8
	sampleSize = 10 // counts per entry until the counters are halved
)

// size is its memory in bytes.
func (s *sketch) size() int64 { return int64(len(s.table)) * 8 }

// fit makes room for so many entries, one word each, and keeps what is known. It reports by how many bytes it has grown.
func (s *sketch) fit(entries int) (grown int64) {
	before := s.size()
	s.entries = max(s.entries, entries)
	if s.table == nil {
		s.table = make([]uint64, blockWords)
	}
	for entries > len(s.table) {
		// Of twice as many blocks the lower and the upper half are counted in as the old ones were.
		s.table = append(s.table, s.table...)
		s.table = s.table[:len(s.table):len(s.table)]
	}
	return s.size() - before
}

// release gives the memory back, of which it returns the size.
func (s *sketch) release() int64 {
	size := s.size()
	*s = sketch{}
	return size
}

// mix spreads a key's bits: the low half is for the block, the high half for the counters in it.
func mix(k Key) uint64 {
	h := (k.Lo ^ k.Hi) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

// count counts one look-up.
func (s *sketch) count(k Key) {
	if s.table == nil {
		return
	}
	h := mix(k)
	block := (int(uint32(h)) & (len(s.table)/blockWords - 1)) * blockWords
	words, counters := s.table[block:block+blockWords], uint32(h>>32)
	added := false
	for i := range 4 {
		b := counters >> (8 * i)
		word, shift := &words[2*i+int(b&1)], (b>>1&15)*4
		if *word>>shift&15 < 15 {
			*word += 1 << shift
			added = true
		}
	}
	if !added {
		return
	}
	if s.added++; s.added >= sampleSize*max(s.entries, blockWords) {
		for i := range s.table {
			s.table[i] = s.table[i] >> 1 & 0x7777777777777777
		}
		s.added /= 2
	}
}

// estimate is how often a key was counted lately, 15 at most; never too few but for the halving.
func (s *sketch) estimate(k Key) uint64 {
	if s.table == nil {
		return 0
	}
	h := mix(k)
	block := (int(uint32(h)) & (len(s.table)/blockWords - 1)) * blockWords
	words, counters := s.table[block:block+blockWords], uint32(h>>32)
	least := uint64(15)
	for i := range 4 {
		b := counters >> (8 * i)
		least = min(least, words[2*i+int(b&1)]>>((b>>1&15)*4)&15)
	}
	return least
}
