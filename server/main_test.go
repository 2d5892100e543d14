package server_test

import (
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

func TestMain(m *testing.M) { testservices.Main(m) }
