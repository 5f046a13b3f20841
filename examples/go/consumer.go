// Command consumer works on each event of a subscription, acknowledges it afterwards, and connects again when it must:
//
//	BIGCHAINDB_ACCESS_KEY_FILE=key go run . wss://ledger.example:9984/api/v1/subscriptions/billing
//
// SSL_CERT_FILE names the file of an authority of your own. Exits with 1 where coming back does not help.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

type frame struct {
	Type   string
	Tags   []int
	Events []struct {
		Tag   int
		Event json.RawMessage
	}
}

func consume(url string) (code int, retryAfter string) {
	options := websocket.DialOptions{HTTPClient: &http.Client{Timeout: 10 * time.Second}, HTTPHeader: http.Header{}}
	options.Subprotocols = []string{"bigchaindb.subscription.v1"}
	if key, err := os.ReadFile(os.Getenv("BIGCHAINDB_ACCESS_KEY_FILE")); err == nil { // each time: keys are replaced
		options.HTTPHeader.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	}
	socket, response, err := websocket.Dial(context.Background(), url, &options)
	if response == nil {
		log.Print(err)
		return -1, ""
	} else if err != nil {
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	socket.SetReadLimit(8 << 20)
	ctx, end := context.WithCancel(context.Background())
	frames, revoked := make(chan frame, 1000), sync.Map{}
	go func() { // reads on while work takes its time, since the library answers pings only then
		for err == nil {
			var next frame
			silence, heard := context.WithTimeout(ctx, 45*time.Second) // the node sends something each 15 s
			err = wsjson.Read(silence, socket, &next)
			heard()
			if next.Type == "revoked" { // these come again, or go elsewhere
				for _, tag := range next.Tags {
					revoked.Store(tag, true)
				}
			}
			frames <- next
		}
		end()
		close(frames)
	}()
	for next := range frames {
		for _, one := range next.Events {
			if _, isGone := revoked.Load(one.Tag); !isGone && ctx.Err() == nil {
				fmt.Println(string(one.Event)) // your work; an event may come again, with the same `id`
				wsjson.Write(ctx, socket, map[string]any{"type": "ack", "tags": []int{one.Tag}})
			}
		}
	}
	return int(websocket.CloseStatus(err)), ""
}

func main() {
	for {
		code, retryAfter := consume(os.Args[1])
		if slices.Contains([]int{400, 401, 403, 404, 1008, 1009, 4400, 4404}, code) {
			log.Fatalf("ended with %d", code)
		}
		wait, _ := time.ParseDuration(retryAfter + "s")
		time.Sleep(max(wait, 500*time.Millisecond))
	}
}
