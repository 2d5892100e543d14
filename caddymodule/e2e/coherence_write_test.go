package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// write brings one register, or a few objects by a batch, to their next versions.
func (c *coherence) write(random *rand.Rand) {
	switch random.IntN(4) {
	case 0:
		c.writeMember(random.IntN(len(c.members)), random)
	case 1:
		c.writeBatch(random)
	default:
		c.writeObject(random.IntN(len(c.objects)), random.IntN(2) == 0, random)
	}
}

// next is the request that brings an object to its next version. Its register is locked.
func (c *coherence) next(slot int) (method, path, body string, version int64) {
	v := c.objects[slot].begun.Load() + 1
	path = "/classes/" + coherentClass
	switch {
	case !alive(v):
		return "DELETE", path + "/" + objectID(slot), "", v
	case !alive(v - 1):
		return "POST", path, `{"objectId":"` + objectID(slot) + `",` + fields(slot, v)[1:], v
	}
	return "PUT", path + "/" + objectID(slot), fields(slot, v), v
}

func (c *coherence) writeObject(slot int, sdk bool, random *rand.Rand) {
	r := c.objects[slot]
	if r.lost.Load() || !r.writing.TryLock() {
		return
	}
	defer r.writing.Unlock()
	method, path, body, v := c.next(slot)
	client := c.writer(slot, random)
	if client == nil {
		return
	}
	if sdk && method != "POST" {
		method, body = "POST", sdkForm(method, body)
		client = client.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
	}
	c.send(client, method, path, body, []*register{r}, []int64{v})
}

// sdkForm is a body as the JavaScript SDK sends it.
func sdkForm(method, body string) string {
	head := fmt.Sprintf(`{"_method":%q,"_ApplicationId":%q,"_JavaScriptKey":%q`, method, appID, jsKey)
	if body == "" || body == "{}" {
		return head + "}"
	}
	return head + "," + body[1:]
}

func (c *coherence) writeBatch(random *rand.Rand) {
	step := max(len(c.doors), 1) // so that one gateway writes all
	first := random.IntN(len(c.objects) - 3*step)
	client := c.writer(first, random)
	if client == nil {
		return
	}
	var registers []*register
	var versions []int64
	var requests []string
	for slot := first; slot < first+3*step; slot += step {
		r := c.objects[slot]
		if r.lost.Load() || !r.writing.TryLock() {
			continue
		}
		defer r.writing.Unlock()
		method, path, body, v := c.next(slot)
		if body == "" {
			body = "{}"
		}
		requests = append(requests, fmt.Sprintf(`{"method":%q,"path":"/parse%s","body":%s}`, method, path, body))
		registers, versions = append(registers, r), append(versions, v)
	}
	if len(requests) > 0 {
		c.send(client, "POST", "/batch", `{"requests":[`+strings.Join(requests, ",")+`]}`, registers, versions)
	}
}

func (c *coherence) writeMember(i int, random *rand.Rand) {
	r := c.members[i]
	if r.lost.Load() || !r.writing.TryLock() {
		return
	}
	defer r.writing.Unlock()
	client := c.writer(i, random)
	if client == nil {
		return
	}
	v := r.begun.Load() + 1
	op := "RemoveRelation"
	if isMember(v) {
		op = "AddRelation"
	}
	body := fmt.Sprintf(`{"members":{"__op":%q,"objects":[%s]}}`, op, memberPointer(i))
	c.send(client, "PUT", "/classes/"+ownerClass+"/owner", body, []*register{r}, []int64{v})
}

// send sends a write. An answer that says neither that it was done nor that the outcome is unknown is wrong.
func (c *coherence) send(client *client, method, path, body string, registers []*register, versions []int64) {
	names := ""
	for i, r := range registers {
		r.begun.Store(versions[i])
		names += fmt.Sprintf(" %s to %d", r.name, versions[i])
	}
	c.journal.add("write%s: %s %s", names, method, path)
	mayFail := c.mayFail()
	a, err := client.do(method, path, body)
	c.journal.add("write%s: answered %d %v", names, a.status, err)
	done := err == nil && a.status/100 == 2 && !strings.Contains(a.body, `"error"`)
	for i, r := range registers {
		if done {
			r.wrote(client.door, versions[i])
		} else {
			r.lost.Store(true)
		}
	}
	switch {
	case done:
		c.writes.Add(1)
	case err != nil && mayFail():
	case err == nil && (strings.Contains(a.body, outcomeUnknown) || a.status == http.StatusServiceUnavailable):
		c.refused.Add(1)
	default:
		c.journal.fail(registers[0].name, "write%s: %s %s answered %d %s %v", names, method, path, a.status, a.body, err)
	}
}

// outcomeUnknown is a part of what the gateway says when it can't tell what became of a write.
const outcomeUnknown = "may or may not have been applied"
