// Command cloudcode is a Parse worker with an app's own code in it: copy this folder, and change define.
//
//	go run ./examples/cloudcode --appId myAppId --masterKey secret --databaseURI sqlite://data/parse.db --port 1337
//
// It takes parse-server's options, as `parsescale parse-server` does, and can stand behind a gateway like any other
// worker.
package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/standalone"
)

func main() {
	os.Exit(standalone.RunIn(context.Background(), server.Environment{Cloud: define}, os.Args[1:], os.Environ(), os.Stderr))
}

// define tells the worker of the app's functions and triggers.
func define(c *cloud.Cloud) error {
	return errors.Join(
		// POST /functions/greet {"name":"Ann"} for users who are logged in.
		c.Define("greet", greet, cloud.Validator{RequireUser: true, Fields: map[string]cloud.Field{"name": {Required: true, Type: "string"}}}),
		// Every Review has from one to five stars, and begins unapproved: only moderators may say otherwise.
		c.BeforeSave("Review", checkReview, cloud.Validator{Fields: map[string]cloud.Field{
			"stars": {Required: true, Type: "number", Options: []any{1.0, 2.0, 3.0, 4.0, 5.0}}, "approved": {Default: false},
		}}),
		c.AfterSave("Review", logReview, cloud.Validator{}),
		// Clients see approved Reviews only, whatever they ask for.
		c.BeforeFind("Review", approvedOnly, cloud.Validator{SkipWithMasterKey: true}),
	)
}

func greet(_ context.Context, r *cloud.Request) (any, error) {
	name, _ := r.Params["name"].(string)
	return "Hello, " + name + "!", nil
}

func checkReview(_ context.Context, r *cloud.TriggerRequest) error {
	moderates := r.Master
	for _, role := range r.Roles {
		moderates = moderates || role == "moderators"
	}
	if approved, _ := r.Object.Get("approved").(bool); approved && r.Object.Dirty("approved") && !moderates {
		return parseerror.New(parseerror.OperationForbidden, "Only moderators approve reviews.")
	}
	if text, ok := r.Object.Get("text").(string); ok {
		r.Object.Set("text", strings.TrimSpace(text))
	}
	return nil
}

func logReview(_ context.Context, r *cloud.TriggerRequest) error {
	r.Log.Info("a review was saved", "id", r.Object.ID(), "stars", r.Object.Get("stars"))
	return nil
}

func approvedOnly(_ context.Context, r *cloud.TriggerRequest) error {
	r.Query.Where = map[string]any{"$and": []any{r.Query.Where, map[string]any{"approved": true}}}
	return nil
}
