// Command frames reads the frames of subscriptions, one a line: what it took from each is a line out, and the frame as
// it writes it.
package main

import (
	"bufio"
	"encoding/json"
	"os"
)

type frame struct {
	Type   string
	Tags   []int
	Stale  []int
	Ref    any
	Lag    int
	Events []struct {
		Tag, Attempt int
		Event        struct{ ID string }
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		read, whole := frame{Tags: []int{}, Stale: []int{}}, map[string]any{}
		must(json.Unmarshal(lines.Bytes(), &read))
		must(json.Unmarshal(lines.Bytes(), &whole))
		given := [][]any{}
		for _, one := range read.Events {
			given = append(given, []any{one.Tag, one.Attempt, one.Event.ID})
		}
		took := map[string]any{
			"type": read.Type, "tags": read.Tags, "given": given, "stale": read.Stale, "ref": read.Ref, "lag": read.Lag,
		}
		wrote, err := json.Marshal(whole)
		must(err)
		must(out.Encode(map[string]any{"took": took, "wrote": string(wrote)}))
	}
}
