-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
local function write_text(key, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces, fields = #text <= 2048 and 64 or #text, 0, {}
  repeat
    pieces = pieces + 1
    fields[2 * pieces - 1] = name .. pieces
    fields[2 * pieces] = text:sub((pieces - 1) * size + 1, pieces * size)
  until pieces * size >= #text
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
local function read_text(key, name)
  local pieces, piece = {}, redis.call('HGET', key, name .. 1)
  while piece do
    pieces[#pieces + 1] = piece
    piece = redis.call('HGET', key, name .. #pieces + 1)
  end
  return #pieces > 0 and table.concat(pieces)
end
