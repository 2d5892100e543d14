package caddymodule

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/policies/discovery"
	"github.com/parsescale/parsescale/policies/upstream"
)

// maxWeight bounds the weight of an upstream.
const maxWeight = 10_000

func checkWeight(weight int) error {
	if weight < 0 || weight > maxWeight {
		return fmt.Errorf("a weight is a whole number from 0 to %d, not %d", maxWeight, weight)
	}
	return nil
}

// upstreamURLs are the upstreams' whole addresses, and the weights of some of them.
func (c *AppConfig) upstreamURLs() (urls []string, weights map[string]int, err error) {
	weights = map[string]int{}
	for _, u := range c.Upstreams {
		full, err := upstreamURL(u)
		if err != nil {
			return nil, nil, err
		}
		urls = append(urls, full)
		if weight, ok := c.Weights[u]; ok {
			weights[full] = weight
		}
	}
	return urls, weights, nil
}

func checkHealthURI(uri string) error {
	if uri == "" {
		return nil
	}
	odd := strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c == '#' || c == 0x7f })
	if _, err := url.ParseRequestURI(uri); err != nil || odd || !strings.HasPrefix(uri, "/") {
		return fmt.Errorf("health_uri takes a path such as /parse/health, not %q", uri)
	}
	return nil
}

// checkUpstreams finds addresses that can't be used, and those that are listed twice.
func checkUpstreams(upstreams []string) error {
	seen := map[string]bool{}
	for _, u := range upstreams {
		full, err := upstreamURL(u)
		if err != nil {
			return err
		}
		if seen[full] {
			return fmt.Errorf("the upstream %s is listed twice; with a weight it gets more requests than others", u)
		}
		seen[full] = true
	}
	return nil
}

// upstreamURL completes an upstream's address to scheme://host:port. A name to look up stays what it is.
func upstreamURL(addr string) (string, error) {
	if discovery.IsSource(addr) {
		if _, err := discovery.Parse(addr); err != nil {
			return "", fmt.Errorf("upstream %w", err)
		}
		return addr, nil
	}
	scheme, host := "http", addr
	if i := strings.Index(addr, "://"); i >= 0 {
		scheme, host = addr[:i], addr[i+3:]
	}
	if scheme != "http" && scheme != "https" {
		return "", fmt.Errorf("upstream %q: the scheme must be http or https, or dns or srv for names to look up", addr)
	}
	if strings.ContainsAny(host, "/?#@ ") {
		return "", fmt.Errorf("upstream %q: give host and port only; the request path is passed on unchanged", addr)
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		if scheme == "https" && host != "" && !strings.Contains(host, ":") {
			return "https://" + host + ":443", nil
		}
		return "", fmt.Errorf("upstream %q: %w", addr, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || name == "" {
		return "", fmt.Errorf("upstream %q: host and a port between 1 and 65535 are needed", addr)
	}
	full := scheme + "://" + host
	if _, err := upstream.ParseAddress(full); err != nil {
		return "", fmt.Errorf("upstream %q: %w", addr, err)
	}
	return full, nil
}
