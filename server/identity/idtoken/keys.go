package idtoken

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/parsescale/parsescale/server/identity/fetch"
)

// Bounds on key sets and on what asks for one.
const (
	maxKeys    = 100
	maxKeyID   = 256  // bytes
	minRSABits = 2048 // of a modulus
)

// ErrNoKey: the provider has no such key.
var ErrNoKey = errors.New("no such key")

// KeysOptions are the options of Keys.
type KeysOptions struct {
	// URL is where the key set is. Required.
	URL string
	// Client asks for it. Required.
	Client *fetch.Client
	// MaxAge is how long a key set is used before it is asked for again. If that fails, it is used for as long again.
	// Default: 1 h.
	MaxAge time.Duration
	// MinInterval is how often a key set is asked for at most, however many unknown keys tokens name. Default: 10 s.
	MinInterval time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Keys are the public keys of one provider. It is safe for concurrent use.
type Keys struct {
	o KeysOptions

	mu      sync.Mutex
	byID    map[string]*rsa.PublicKey
	fetched time.Time // when byID came
	asked   time.Time // when it was asked for last
	asking  chan struct{}
}

// NewKeys returns the keys at an address. Nothing is asked yet.
func NewKeys(o KeysOptions) *Keys {
	if o.MaxAge <= 0 {
		o.MaxAge = time.Hour
	}
	if o.MinInterval <= 0 {
		o.MinInterval = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Keys{o: o}
}

// key returns the key of an id, asking the provider if it isn't known or too old. Those who ask at the same time share one
// question.
func (k *Keys) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if id == "" || len(id) > maxKeyID {
		return nil, ErrNoKey
	}
	for {
		k.mu.Lock()
		now := k.o.Now()
		age := now.Sub(k.fetched)
		found := k.byID[id]
		if found != nil && age < k.o.MaxAge {
			k.mu.Unlock()
			return found, nil
		}
		if now.Sub(k.asked) < k.o.MinInterval && k.asking == nil {
			k.mu.Unlock()
			if found != nil && age < 2*k.o.MaxAge {
				return found, nil
			}
			return nil, ErrNoKey
		}
		asking := k.asking
		if asking == nil {
			asking = make(chan struct{})
			k.asking, k.asked = asking, now
			// Whoever asks first may leave first; the others still want the answer.
			go k.refresh(context.WithoutCancel(ctx), asking)
		}
		k.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// refresh asks for the key set. A failure leaves the old one.
func (k *Keys) refresh(ctx context.Context, done chan struct{}) {
	byID, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.byID, k.fetched = byID, k.o.Now()
	}
	k.asking = nil
	close(done)
}

func (k *Keys) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.o.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for keys: %w", err)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	status, err := k.o.Client.JSON(ctx, r, &set)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK || len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("cannot use the keys of %s: status %d, %d keys", r.URL.Host, status, len(set.Keys))
	}
	byID := make(map[string]*rsa.PublicKey, len(set.Keys))
	for _, raw := range set.Keys {
		// Keys of other kinds are no concern of ours.
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil {
			continue
		}
		public, ok := key.Key.(*rsa.PublicKey)
		if !ok || key.KeyID == "" || key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(jose.RS256) ||
			public.N.BitLen() < minRSABits {
			continue
		}
		byID[key.KeyID] = public
	}
	return byID, nil
}
