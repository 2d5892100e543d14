package e2e

import (
	"math/rand/v2"
	"strings"
)

// ask asks a question in one of its forms.
func (c *coherence) ask(q *question, client *client, random *rand.Rand) (answer, error) {
	method, path, body := "GET", q.path, ""
	switch random.IntN(8) {
	case 0, 1, 2:
		method, body = "POST", sdkForm("GET", q.json())
		client = client.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
	case 3:
		client = client.with("Cache-Control", "no-cache")
		fallthrough
	default:
		path += q.queryString()
	}
	return client.do(method, path, body)
}

// read asks a question and checks the answer.
func (c *coherence) read(random *rand.Rand) {
	q := &questions[random.IntN(len(questions))]
	client := c.any(random)
	registers := c.objects
	if q.members {
		registers = c.members
	}
	w := openWindow(registers, client.door, c.bound)
	mayFail := c.mayFail()
	a, err := c.ask(q, client, random)
	c.reads.Add(1)
	if err != nil && mayFail() {
		return
	}
	if err != nil {
		c.journal.fail("*", "%s: a read failed: %v", q.name, err)
		return
	}
	if a.verdict() == hit {
		c.hits.Add(1)
	}
	if why := q.check(q, &w, a); why != "" {
		about := "write"
		for _, r := range registers {
			if strings.Contains(why, r.name) {
				about = r.name
			}
		}
		c.journal.fail(about, "%s %s%s (%s, seed %d): %s\n%s", q.name, q.path, q.queryString(), a.header.Get("Cache-Status"), c.seed, why, a.body)
	}
}
